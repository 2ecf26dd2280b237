//! A local network of the test's own: machines in network namespaces, on one switch.
//!
//! A machine is a network namespace with one interface. [`Machine::run`] runs a closure in it: every process that is
//! started there, and every socket that is opened, belongs to that machine. All of it is gone with the [`Lan`], also
//! when the test panics; what a test that was killed left behind is taken away by the next one.
//!
//! Needs root, and the `ip` of iproute2.

use std::{
    fs::File,
    net::Ipv4Addr,
    os::fd::AsFd as _,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Machines that reach each other and nothing else.
pub struct Lan {
    switch: Namespace,
    ports: AtomicU32,
}

/// One machine of a [`Lan`].
pub struct Machine {
    namespace: Namespace,
    address: Ipv4Addr,
}

impl Lan {
    /// A switch without machines.
    ///
    /// # Panics
    /// When this is not root, or the kernel has no network namespaces.
    pub fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "network namespaces need root: run this test as root");
        sweep();
        let switch = Namespace::new("switch");
        switch.ip("link add br0 type bridge mcast_snooping 0");
        switch.ip("link set br0 up");
        Self { switch, ports: AtomicU32::new(0) }
    }

    /// Connects a machine at 10.77.0.`last`.
    pub fn machine(&self, last: u8) -> Machine {
        let namespace = Namespace::new("machine");
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        self.switch.ip(&format!("link add {port} type veth peer name {INTERFACE} netns {}", namespace.name));
        self.switch.ip(&format!("link set {port} master br0 up"));
        namespace.ip("link set lo up");
        let address = address(last);
        namespace.ip(&format!("addr add {address}/24 dev {INTERFACE}"));
        namespace.ip(&format!("link set {INTERFACE} up"));
        namespace.ip(MULTICAST_ROUTE);
        Machine { namespace, address }
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// Where it is.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Replaces its address by 10.77.0.`last`, as a lease that was given to another does.
    pub fn move_to(&mut self, last: u8) {
        let (old, new) = (self.address, address(last));
        self.namespace.ip(&format!("addr del {old}/24 dev {INTERFACE}"));
        self.namespace.ip(&format!("addr add {new}/24 dev {INTERFACE}"));
        // The kernel has dropped it together with the last address.
        self.namespace.ip(MULTICAST_ROUTE);
        self.address = new;
    }

    /// Runs `body` in this machine, on a thread of its own.
    ///
    /// # Panics
    /// When `body` does, or the namespace cannot be entered.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let name = &self.namespace.name;
        let enter = || {
            let namespace = File::open(Path::new(NAMESPACES).join(name))?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            std::io::Result::Ok(())
        };
        let entered = thread::scope(|scope| {
            scope
                .spawn(|| {
                    enter().unwrap_or_else(|error| panic!("cannot enter {name}: {error}"));
                    body()
                })
                .join()
        });
        entered.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// A named network namespace, deleted with this.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new(role: &str) -> Self {
        let mut number = [0; 4];
        getrandom::fill(&mut number).expect("the system has randomness");
        let name = format!("{PREFIX}{}-{role}-{:08x}", std::process::id(), u32::from_ne_bytes(number));
        ip(&["netns", "add", &name]);
        Self { name }
    }

    /// Runs `ip` within, with words that are separated by spaces.
    fn ip(&self, words: &str) {
        let words: Vec<_> = ["-n", &self.name].into_iter().chain(words.split(' ')).collect();
        ip(&words);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

/// Deletes the namespaces of tests that are not there any more.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(NAMESPACES) else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            delete(&name);
        }
    }
}

/// Deletes a namespace. One that another test's sweep has deleted just now is as good.
fn delete(name: &str) {
    if let Err(error) = Command::new("ip").args(["netns", "del", name]).output() {
        eprintln!("the network namespace {name} stays: {error}");
    }
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output();
    let output = output.unwrap_or_else(|error| panic!("`ip` cannot be run (Debian: iproute2): {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said}", words.join(" "));
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

/// Where iproute2 keeps namespaces by name.
const NAMESPACES: &str = "/run/netns";

/// What the names of ours begin with; the process id follows.
const PREFIX: &str = "pf-e2e-";

/// The one interface of a machine.
const INTERFACE: &str = "lan0";

/// By which what mDNS sends goes out of the one interface.
const MULTICAST_ROUTE: &str = "route add 224.0.0.0/4 dev lan0";
