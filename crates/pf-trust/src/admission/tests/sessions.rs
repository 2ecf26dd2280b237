//! Who is let in.

use super::*;

fn open_host() -> Host {
    Host::with(Config { policy: pf_base::PairPolicy::Optional, ..Config::default() })
}

/// Nobody is let in whom the owner did not pair.
#[test]
fn inv_42_required_refuses_the_unpaired() {
    let mut host = Host::fresh();
    let (_, done) = host.connect(device(1));
    assert_eq!(done.refusal(), Code::PairingRequired);
    assert_eq!(host.state.live().count(), 0);
    assert_eq!(done.audit(), [AuditKind::Refused, AuditKind::Requested]);
    let [request] = host.state.requests() else { panic!("no request is left") };
    assert_eq!((request.peer, request.name.as_str()), (device(1), DeviceName::UNNAMED));
}

/// A host that nobody opened up is closed.
#[test]
fn inv_43_trust_on_first_use_is_off_by_default() {
    let config = Config::default();
    assert_eq!((config.policy, config.arming), (pf_base::PairPolicy::Required, Arming::ByOwner));
}

#[test]
fn r2_a_paired_device_connects_straight_through() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let (connection, done) = host.connect(device(1));
    assert_eq!(done.effects, [Effect::Admit { connection, role: Role::Paired }]);
    assert!(done.changes.is_empty(), "and waits for no disk");
    assert_eq!(done.later[0], Change::Seen { fingerprint: device(1).fingerprint });
    assert_eq!(host.state.devices().next().unwrap().last_seen, Some(host.now));
    assert_eq!(host.does(Event::Closed { connection }).audit(), [AuditKind::SessionEnded]);
    assert_eq!(host.state.live().count(), 0);
}

/// Letting a guest in must not put it on the allow-list for the day when the host is closed again.
#[test]
fn r2_a_guest_is_let_in_and_put_on_no_list() {
    let mut host = open_host();
    let (connection, done) = host.connect(device(1));
    assert_eq!(done.effects, [Effect::Admit { connection, role: Role::Guest }]);
    assert!(host.state.requests().is_empty() && host.stored.devices.is_empty());
    host.config.policy = pf_base::PairPolicy::Required;
    host.restart();
    assert_eq!(host.connect(device(1)).1.refusal(), Code::PairingRequired);
}

#[test]
fn r2_a_paired_device_is_no_guest_on_an_open_host() {
    let mut host = open_host();
    host.pair(device(1));
    let (connection, done) = host.connect(device(1));
    assert_eq!(done.effects, [Effect::Admit { connection, role: Role::Paired }]);
}

/// At every step of a day at the host, who is connected is on the allow-list.
#[test]
fn inv_32_live_is_within_paired() {
    let mut host = Host::fresh();
    host.pair(device(1));
    host.pair(device(2));
    for n in [1, 2, 3, 1] {
        host.connect(device(n));
    }
    host.does(Event::Remove { fingerprint: device(1).fingerprint });
    host.connect(device(1));
    assert!(host.state.live().all(|session| host.state.is_paired(session.peer.fingerprint)));
    assert_eq!(host.state.live().count(), 1);
}

/// Guests on an open host must not have it open sessions without end.
#[test]
fn r2_sessions_are_bounded() {
    let mut host =
        Host::with(Config { policy: pf_base::PairPolicy::Optional, max_sessions: 2, ..Config::default() });
    let (first, _) = host.connect(device(1));
    host.connect(device(2));
    assert_eq!(host.connect(device(3)).1.refusal(), Code::Busy);
    assert_eq!(host.state.live().count(), 2);
    host.does(Event::Closed { connection: first });
    assert!(matches!(host.connect(device(3)).1.effects[..], [Effect::Admit { .. }]));
}

/// Which host is full is no stranger's business: it hears what it always hears.
#[test]
fn r2_a_stranger_at_a_full_host_hears_that_pairing_is_required() {
    let mut host = Host::with(Config { max_sessions: 0, ..Config::default() });
    assert_eq!(host.connect(device(1)).1.refusal(), Code::PairingRequired);
}

/// Ending one session is no removal, and none of the other sessions' business.
#[test]
fn r7_the_owner_ends_one_session_and_the_device_may_come_back() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let (connection, _) = host.connect(device(1));
    let (other, _) = host.connect(device(1));
    let done = host.does(Event::EndSession { connection });
    assert_eq!(done.reply, Reply::Done);
    assert_eq!(done.effects, [Effect::Close { connection, code: Code::Ended }]);
    assert_eq!((done.audit(), done.changes), (vec![AuditKind::SessionEnded], vec![]));
    assert_eq!(host.state.live().map(|session| session.connection).collect::<Vec<_>>(), [other]);
    assert!(host.does(Event::Closed { connection }).audit().is_empty(), "it ended once");
    assert!(matches!(host.connect(device(1)).1.effects[..], [Effect::Admit { role: Role::Paired, .. }]));
}

#[test]
fn r7_a_guests_session_is_ended_too() {
    let mut host = open_host();
    let (connection, _) = host.connect(device(1));
    let done = host.does(Event::EndSession { connection });
    assert_eq!(done.effects, [Effect::Close { connection, code: Code::Ended }]);
    assert_eq!((done.reply, host.state.live().count()), (Reply::Done, 0));
}

/// The list that the owner looked at is old, or the number is of a connection that pairs or waits: that one goes on.
#[test]
fn r7_only_a_session_is_ended_as_one() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let (over, _) = host.connect(device(1));
    host.does(Event::Closed { connection: over });
    let (parked, _) = host.park(device(2));
    host.arm(Target::Anyone);
    let pairing = host.confirm(device(3));
    for connection in [over, parked, pairing, ConnectionId(999)] {
        let done = host.does(Event::EndSession { connection });
        assert_eq!(done.reply, Reply::Refused(OwnerError::NoSuchSession), "{connection:?}");
        assert_eq!((done.effects, done.changes, done.later), (vec![], vec![], vec![]));
    }
    assert!(host.request_of(device(2)).unwrap().parked.is_some());
    let done = host.does(Event::Confirmed { connection: pairing, peer: proof_of(device(3)) });
    assert_eq!(done.audit(), [AuditKind::Paired]);
}

#[test]
fn r7_a_device_is_renamed() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let fingerprint = device(1).fingerprint;
    let done = host.does(Event::Rename { fingerprint, label: name("Living room") });
    assert_eq!((&done.reply, done.audit()), (&Reply::Done, vec![AuditKind::Renamed]));
    assert_eq!(host.state.label(fingerprint), Some(&name("Living room")));
    let stranger = Event::Rename { fingerprint: device(2).fingerprint, label: name("x") };
    assert_eq!(host.does(stranger).reply, Reply::Refused(OwnerError::NoSuchDevice));
}

/// A device that pairs again must not rename itself to something that the owner did not choose.
#[test]
fn inv_37_pairing_again_keeps_the_owners_label() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let fingerprint = device(1).fingerprint;
    host.does(Event::Rename { fingerprint, label: name("Living room") });
    host.now = host.now + seconds(60);
    host.pair(device(1));
    let device = host.state.devices().next().unwrap();
    assert_eq!((device.label.as_str(), device.paired_at), ("Living room", host.now));
}
