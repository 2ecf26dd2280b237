//! What strangers can make the host remember and write.

use super::*;

/// A stranger connects as fast as it can, to fill the disk with lines about it.
#[test]
fn inv_50_lines_about_strangers_are_bounded_and_the_rest_is_counted() {
    let mut host = Host::fresh();
    for n in 0..1000_u16 {
        host.connect(at((n % 256) as u8, (n % 250) as u8));
        host.now = host.now + Duration::from_millis(10);
    }
    assert_eq!(host.stored.audit.len(), limits::AUDIT_LINES_A_MINUTE as usize);
    let due = host.state.next_deadline().unwrap();
    assert_eq!(due, START + limits::MINUTE);
    host.now = due;
    let done = host.does(Event::Tick);
    let [AuditKind::RefusedMore(left_out)] = done.audit()[..] else { panic!("{done:?}") };
    assert!(left_out > 1000, "refusals, requests and those that made place: {left_out}");
    assert_eq!(host.connect(device(1)).1.audit()[0], AuditKind::Refused, "a new minute");
}

/// Guests of an open host that come and go are strangers, too.
#[test]
fn inv_50_lines_about_guests_are_bounded() {
    let mut host = Host::with(Config { policy: pf_base::PairPolicy::Optional, ..Config::default() });
    for _ in 0..100 {
        let (connection, _) = host.connect(device(1));
        host.does(Event::Closed { connection });
    }
    assert_eq!(host.stored.audit.len(), limits::AUDIT_LINES_A_MINUTE as usize);
}

/// What a flood leaves out are its own lines: what the owner and paired devices do is always on record.
#[test]
fn inv_50_a_flood_hides_no_line_of_others() {
    let mut host = Host::fresh();
    host.pair(device(1));
    host.arm(Target::Anyone);
    let flood = host.stored.audit.len();
    for n in 0..250 {
        host.connect(device(n).to_stranger());
    }
    assert_eq!(host.stored.audit.len(), flood + limits::AUDIT_LINES_A_MINUTE as usize);
    assert_eq!(host.connect(device(1)).1.audit(), [AuditKind::Admitted]);
    host.guess_wrong(device(2));
    assert_eq!(host.audit_kinds()[host.stored.audit.len() - 2..], [AuditKind::Attempt, AuditKind::WrongPin]);
}

/// A slot or an entry that nobody ends would be held until something else happens.
#[test]
fn inv_50_whatever_a_stranger_holds_has_an_end_that_the_driver_is_told_of() {
    let begun: [fn(&mut Host) -> Duration; 4] = [
        |host| {
            host.hello(device(1), Purpose::Ask);
            limits::EXCHANGE_TIMEOUT
        },
        |host| {
            host.share(device(1));
            limits::CEREMONY_TIMEOUT
        },
        |host| {
            host.park(device(1));
            limits::REQUEST_LIFETIME
        },
        |host| {
            host.connect(device(1));
            limits::REQUEST_LIFETIME
        },
    ];
    for (nth, begin) in begun.into_iter().enumerate() {
        let mut host = Host::with(Config { arming: Arming::Always, ..Config::default() });
        host.arm(Target::Anyone);
        let lasts = begin(&mut host);
        assert_eq!(host.state.next_deadline(), Some(START + lasts), "{nth}");
        host.wait(lasts);
        assert_eq!(host.state.next_deadline(), None, "{nth}");
    }
}

/// Events for connections that nobody knows are answered, and remembered nowhere.
#[test]
fn inv_50_unknown_connections_leave_no_trace() {
    let mut host = Host::fresh();
    let connection = ConnectionId(4711);
    for event in [
        Event::Share { connection },
        Event::Confirm { connection },
        Event::Confirmed { connection, peer: proof_of(device(1)) },
        Event::Mismatch { connection },
        Event::Waiting { connection, code: code() },
        Event::Closed { connection },
    ] {
        let done = host.does(event);
        assert!(done.changes.is_empty() && done.later.is_empty());
        assert!(done.effects.iter().all(|effect| matches!(effect, Effect::Refuse { .. })), "{done:?}");
    }
    assert_eq!(host.state.next_deadline(), None);
}

impl Peer {
    /// Another key at the same address.
    fn to_stranger(self) -> Self {
        let mut key = *self.fingerprint.as_bytes();
        key[31] ^= 0xff;
        Self { fingerprint: Fingerprint::from_bytes(key), ..self }
    }
}
