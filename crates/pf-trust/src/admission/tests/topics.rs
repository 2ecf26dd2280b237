//! What a step changes of what the owner is shown: a console that is not told shows an old PIN, a request that is
//! answered, or a session that is cut; one that is told too much asks without end.

use super::*;

const NOTHING: Topics = Topics { pairing: false, requests: false, devices: false, sessions: false };
const PAIRING: Topics = Topics { pairing: true, ..NOTHING };
const REQUESTS: Topics = Topics { requests: true, ..NOTHING };
const DEVICES: Topics = Topics { devices: true, ..NOTHING };
const SESSIONS: Topics = Topics { sessions: true, ..NOTHING };

impl Host {
    /// What `act` changes of what is shown.
    fn shown_otherwise(&mut self, act: impl FnOnce(&mut Self)) -> Topics {
        let before = self.state.clone();
        act(self);
        self.state.changed_since(&before)
    }
}

#[test]
fn a_set_of_topics_has_any_when_it_has_one() {
    assert!(!NOTHING.any());
    for one in [PAIRING, REQUESTS, DEVICES, SESSIONS] {
        assert!(one.any(), "{one:?}");
    }
}

#[test]
fn the_owners_acts_on_the_window_are_pairing_alone() {
    let mut host = Host::fresh();
    assert_eq!(host.shown_otherwise(|host| drop(host.arm(Target::Anyone))), PAIRING);
    assert_eq!(host.shown_otherwise(|host| drop(host.arm(Target::Anyone))), PAIRING, "another PIN");
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Disarm))), PAIRING);
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Disarm))), NOTHING, "refused");
    host.arm(Target::Anyone);
    assert_eq!(host.shown_otherwise(|host| drop(host.wait(limits::WINDOW_MAX))), PAIRING, "expired");
}

/// A ceremony shows the moment that its PIN is gone and its outcome, and nothing before.
#[test]
fn a_ceremony_is_shown_once_its_pin_is_taken() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let mut connection = ConnectionId(0);
    assert_eq!(host.shown_otherwise(|host| connection = host.share(device(1))), NOTHING);
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Confirm { connection }))), PAIRING);
    let right = Event::Confirmed { connection, peer: proof_of(device(1)) };
    let outcome = Topics { devices: true, ..PAIRING };
    assert_eq!(host.shown_otherwise(|host| drop(host.does(right))), outcome);
    host.arm(Target::Device(device(2).fingerprint));
    let connection = host.confirm(device(2));
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Mismatch { connection }))), PAIRING);
}

#[test]
fn a_device_that_pairs_by_pin_has_its_request_answered() {
    let mut host = Host::fresh();
    host.hello(device(1), Purpose::Knock);
    host.arm(Target::Anyone);
    let connection = host.confirm(device(1));
    let right = Event::Confirmed { connection, peer: proof_of(device(1)) };
    let all_but_sessions = Topics { pairing: true, requests: true, devices: true, sessions: false };
    assert_eq!(host.shown_otherwise(|host| drop(host.does(right))), all_but_sessions);
}

#[test]
fn what_becomes_of_a_request_is_requests() {
    let mut host = Host::fresh();
    let (mut parked, mut connection) = (RequestId(0), ConnectionId(0));
    assert_eq!(host.shown_otherwise(|host| drop(host.hello(device(1), Purpose::Knock))), REQUESTS);
    assert_eq!(host.shown_otherwise(|host| connection = host.hello(device(1), Purpose::Ask).0), NOTHING);
    let waits = Event::Waiting { connection, code: code() };
    assert_eq!(host.shown_otherwise(|host| drop(host.does(waits))), REQUESTS, "a check code appears");
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Closed { connection }))), REQUESTS);
    let shown = host.state.requests()[0].id;
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Deny { request: shown }))), REQUESTS);
    assert_eq!(host.shown_otherwise(|host| parked = host.park(device(2)).1), REQUESTS);
    let approve = Event::Approve { request: parked, label: None };
    let answered = Topics { devices: true, ..REQUESTS };
    assert_eq!(host.shown_otherwise(|host| drop(host.does(approve))), answered);
    host.hello(device(3), Purpose::Knock);
    assert_eq!(host.shown_otherwise(|host| drop(host.wait(limits::REQUEST_LIFETIME))), REQUESTS);
    assert_eq!(host.shown_otherwise(|host| drop(host.connect(device(4)))), REQUESTS, "refused, and listed");
}

#[test]
fn sessions_and_the_allow_list_change_apart() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let fingerprint = device(1).fingerprint;
    let mut connection = ConnectionId(0);
    let admitted = Topics { devices: true, ..SESSIONS };
    host.now = host.now + seconds(1);
    assert_eq!(host.shown_otherwise(|host| connection = host.connect(device(1)).0), admitted, "last seen");
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::EndSession { connection }))), SESSIONS);
    let (connection, _) = host.connect(device(1));
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Closed { connection }))), SESSIONS);
    let rename = Event::Rename { fingerprint, label: name("Deck") };
    assert_eq!(host.shown_otherwise(|host| drop(host.does(rename))), DEVICES);
    let same_again = Event::Rename { fingerprint, label: name("Deck") };
    assert_eq!(host.shown_otherwise(|host| drop(host.does(same_again))), NOTHING);
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Remove { fingerprint }))), DEVICES);
    host.pair(device(1));
    host.connect(device(1));
    assert_eq!(host.shown_otherwise(|host| drop(host.does(Event::Remove { fingerprint }))), admitted);
}

#[test]
fn a_guest_is_a_session_and_no_device() {
    let mut host = Host::with(Config { policy: pf_base::PairPolicy::Optional, ..Config::default() });
    assert_eq!(host.shown_otherwise(|host| drop(host.connect(device(1)))), SESSIONS);
}

/// Whoever only knocks at the door must not make every open page ask again.
#[test]
fn what_is_not_shown_is_no_change() {
    let mut host = Host::with(Config { max_sessions: 0, ..Config::default() });
    host.pair(device(1));
    assert_eq!(host.shown_otherwise(|host| drop(host.connect(device(1)))), NOTHING, "full");
    assert_eq!(host.shown_otherwise(|host| drop(host.hello(device(2), Purpose::Pin))), NOTHING, "not armed");
    let fingerprint = device(1).fingerprint;
    host.does(Event::Remove { fingerprint });
    assert_eq!(host.shown_otherwise(|host| drop(host.connect(device(1)))), NOTHING, "removed");
}
