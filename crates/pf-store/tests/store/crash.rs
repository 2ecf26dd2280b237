//! The process is killed at some moment: what was told to be stored is, and all of each step or nothing.
//!
//! The child is this test binary again, running the same test with the directory in its environment.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use pf_store::{AuditQuery, DataDir, HostStore, StoreError, identity};
use pf_trust::record::{AuditKind, BurnCounters, Change};

use crate::common::{Home, at, key, name, note, pair};

/// How often a child is killed: enough to meet each part of a commit and a copy, and done in seconds.
const ROUNDS: u32 = 25;

const CHILD_DIR: &str = "PF_STORE_CRASH_DIR";

fn spawn(test: &str, home: &Home) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, home.dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The directory to work in, where this process is the one that is to be killed.
fn as_child() -> Option<DataDir> {
    env::var_os(CHILD_DIR).map(|path| DataDir::open(path).unwrap())
}

/// Numbers that look random and are the same in every run.
fn seeded(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// A crash leaves a device without its audit line, a burned PIN uncounted, or a store that cannot be opened.
#[test]
fn inv_17_inv_36_a_kill_leaves_the_old_state_or_the_new() {
    if let Some(dir) = as_child() {
        commit_until_killed(&dir);
    }
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "0")], at(1)).unwrap();
    drop(store);
    let mut random = seeded(36);
    let mut stored = 0;
    for round in 0..ROUNDS {
        let mut child = spawn("crash::inv_17_inv_36_a_kill_leaves_the_old_state_or_the_new", &home);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = stored;
        let mut hear = |line: String| {
            if let Some(step) = line.strip_prefix("stored ") {
                told = step.parse().unwrap();
            }
            told
        };
        let wanted = stored + 1 + random(4) as u32;
        while hear(lines.next().unwrap().unwrap()) < wanted {}
        if round == 0 {
            let error = HostStore::open(&home.dir).map(drop).unwrap_err();
            assert!(matches!(error, StoreError::InUse { .. }), "another process has it: {error}");
        }
        // This only chooses the moment; the outcome must be right at any.
        thread::sleep(Duration::from_micros(random(15_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| {
            hear(line);
        });

        let (store, loaded) = home.host();
        stored = loaded.counters.in_a_row;
        assert!(stored == told || stored == told + 1, "round {round}: told {told}, stored {stored}");
        assert_eq!(loaded.devices[0].label, name(&stored.to_string()), "round {round}");
        let attempts =
            AuditQuery { before: None, kind: Some(AuditKind::Attempt), fingerprint: None, limit: 10_000 };
        assert_eq!(store.audit(&attempts).unwrap().len(), stored as usize, "round {round}");
    }
    assert!(stored >= ROUNDS);
}

fn commit_until_killed(dir: &DataDir) -> ! {
    let (mut store, loaded) = HostStore::open(dir).unwrap();
    for step in loaded.counters.in_a_row + 1.. {
        let changes = [
            Change::Counters(BurnCounters { in_a_row: step, ..BurnCounters::default() }),
            note(AuditKind::Attempt),
            Change::Rename { fingerprint: key(1), label: name(&step.to_string()) },
        ];
        store.commit(&changes, at(step.into())).unwrap();
        println!("stored {step}");
        // Now and then, or most kills would come while a copy is made, which takes longer than a commit.
        if step % 6 == 0 {
            store.keep_copy().unwrap();
        }
    }
    unreachable!("there are more steps than time");
}

/// A crash at first start leaves half an identity or half a store, and the host never starts again.
#[test]
fn inv_36_a_kill_at_first_start_leaves_none_or_whole_files() {
    if let Some(dir) = as_child() {
        identity::load_or_create(&dir).unwrap();
        let _store = HostStore::open(&dir).unwrap();
        println!("open");
        loop {
            thread::park();
        }
    }
    let mut random = seeded(38);
    let mut killed_early = 0;
    for round in 0..ROUNDS {
        let home = Home::new();
        let mut child = spawn("crash::inv_36_a_kill_at_first_start_leaves_none_or_whole_files", &home);
        let mut output = child.stdout.take().unwrap();
        // This only chooses the moment; the outcome must be right at any.
        thread::sleep(Duration::from_micros(random(40_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut said = String::new();
        output.read_to_string(&mut said).unwrap();
        killed_early += usize::from(!said.contains("open"));

        identity::load_or_create(&home.dir).unwrap_or_else(|e| panic!("round {round}: {e}"));
        HostStore::open(&home.dir).unwrap_or_else(|e| panic!("round {round}: {e}"));
    }
    assert!(killed_early > 0, "no kill came before the end");
}
