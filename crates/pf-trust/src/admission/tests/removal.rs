//! Removing a device: everything of it ends, and it stays out.

use super::*;

fn remove(host: &mut Host, peer: Peer) -> Done {
    host.does(Event::Remove { fingerprint: peer.fingerprint })
}

#[test]
fn r7_removing_cuts_the_sessions_after_the_tombstone() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let (first, second) = (host.connect(device(1)).0, host.connect(device(1)).0);
    let done = remove(&mut host, device(1));
    assert_eq!(done.changes[0], Change::Remove { fingerprint: device(1).fingerprint });
    assert_eq!(
        done.effects,
        [
            Effect::Close { connection: first, code: Code::Removed },
            Effect::Close { connection: second, code: Code::Removed }
        ]
    );
    assert_eq!((&done.reply, done.unsaved), (&Reply::Done, Unsaved::StayClosed));
    assert_eq!(host.connect(device(1)).1.refusal(), Code::Removed);
    assert!(host.state.requests().is_empty(), "nor does it come back as a request by that");
    assert_eq!(remove(&mut host, device(1)).reply, Reply::Refused(OwnerError::NoSuchDevice));
}

/// An open host lets any unknown device in, but not one that was thrown out.
#[test]
fn r7_a_removed_device_stays_out_of_an_open_host() {
    let mut host = Host::with(Config { policy: pf_base::PairPolicy::Optional, ..Config::default() });
    host.pair(device(1));
    remove(&mut host, device(1));
    assert_eq!(host.connect(device(1)).1.refusal(), Code::Removed);
}

/// A device that came as a guest before it was paired is cut all the same.
#[test]
fn r7_removing_cuts_what_came_in_as_a_guest() {
    let mut host = Host::with(Config { policy: pf_base::PairPolicy::Optional, ..Config::default() });
    let (connection, _) = host.connect(device(1));
    host.pair(device(1));
    let done = remove(&mut host, device(1));
    assert_eq!(done.effects, [Effect::Close { connection, code: Code::Removed }]);
    assert_eq!(host.state.live().count(), 0);
}

/// The device connects in the moment in which it is removed: whichever comes first, no session is left.
#[test]
fn inv_34_removal_racing_admission_leaves_no_session() {
    for connects_first in [true, false] {
        let mut host = Host::fresh();
        host.pair(device(1));
        if connects_first {
            host.connect(device(1));
            remove(&mut host, device(1));
        } else {
            remove(&mut host, device(1));
            host.connect(device(1));
        }
        assert_eq!(host.state.live().count(), 0, "connects first: {connects_first}");
    }
}

/// The device pairs again in the moment in which it is removed: its ceremony ends with it.
#[test]
fn inv_34_removal_racing_a_ceremony_leaves_no_pairing() {
    let mut host = Host::fresh();
    host.pair(device(1));
    host.arm(Target::Anyone);
    let connection = host.confirm(device(1));
    let done = remove(&mut host, device(1));
    assert_eq!(done.effects, [Effect::Close { connection, code: Code::Removed }]);
    let late = host.does(Event::Confirmed { connection, peer: proof_of(device(1)) });
    assert_eq!((late.refusal(), late.changes.len()), (Code::NotArmed, 0));
    assert!(!host.state.is_paired(device(1).fingerprint));
    assert_eq!(host.connect(device(1)).1.refusal(), Code::Removed);
}

/// The device that is removed is asking again just then.
#[test]
fn inv_34_removal_ends_an_exchange() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let (connection, _) = host.hello(device(1), Purpose::Ask);
    let done = remove(&mut host, device(1));
    assert_eq!(done.effects, [Effect::Close { connection, code: Code::Removed }]);
    assert_eq!(host.does(Event::Waiting { connection, code: code() }).refusal(), Code::RequestExpired);
}

/// A window that was opened for the device must not let it back in.
#[test]
fn inv_34_removal_closes_the_window_that_is_bound_to_the_device() {
    let mut host = Host::fresh();
    host.pair(device(1));
    host.arm(Target::Device(device(1).fingerprint));
    remove(&mut host, device(1));
    assert!(host.state.window().is_none());
    assert_eq!(host.state.last_window().unwrap().ending, Ending::Cancelled);
}

/// Another device's window is not closed by it.
#[test]
fn r7_removing_one_device_leaves_the_others_alone() {
    let mut host = Host::fresh();
    host.pair(device(1));
    host.pair(device(2));
    host.arm(Target::Anyone);
    let (session, ceremony) = (host.connect(device(2)).0, host.confirm(device(3)));
    assert_eq!(remove(&mut host, device(1)).effects, []);
    assert!(host.state.live().any(|live| live.connection == session));
    host.does(Event::Confirmed { connection: ceremony, peer: proof_of(device(3)) });
    assert!(host.state.is_paired(device(3).fingerprint));
}

#[test]
fn inv_35_removed_stays_removed_over_a_restart() {
    let mut host = Host::fresh();
    host.pair(device(1));
    remove(&mut host, device(1));
    host.restart();
    assert_eq!(host.connect(device(1)).1.refusal(), Code::Removed);
}

/// The owner throws everyone out and pairs one device: the others must not come back with it.
#[test]
fn inv_35_remove_all_then_pair_one_admits_that_one_only() {
    let mut host = Host::fresh();
    for n in 1..=3 {
        host.pair(device(n));
    }
    for n in 1..=3 {
        remove(&mut host, device(n));
    }
    host.pair(device(2));
    for _ in 0..2 {
        for (n, admitted) in [(1, false), (2, true), (3, false)] {
            let (_, done) = host.connect(device(n));
            assert_eq!(matches!(done.effects[..], [Effect::Admit { .. }]), admitted, "device {n}");
        }
        host.restart();
    }
}

/// A store that says both of one device is believed in what it forbids.
#[test]
fn inv_35_a_device_that_is_both_paired_and_removed_is_removed() {
    let mut host = Host::fresh();
    host.pair(device(1));
    host.stored.removed.insert(device(1).fingerprint);
    host.restart();
    assert!(!host.state.is_paired(device(1).fingerprint));
    assert_eq!(host.connect(device(1)).1.refusal(), Code::Removed);
}

/// A removed device may ask, and it is the owner who decides.
#[test]
fn r7_a_removed_device_comes_back_by_approval_or_pin_only() {
    let mut host = Host::fresh();
    host.pair(device(1));
    remove(&mut host, device(1));
    let (_, request) = host.park(device(1));
    host.does(Event::Approve { request, label: None });
    host.restart();
    assert!(matches!(host.connect(device(1)).1.effects[..], [Effect::Admit { .. }]));
}
