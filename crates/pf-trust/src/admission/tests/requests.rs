//! Asking for access: what is listed, what approving it means, and what a flood can do to it.

use super::*;
use crate::proof::Comparison;

fn approve(host: &mut Host, request: RequestId) -> Done {
    host.does(Event::Approve { request, label: None })
}

fn no_such_request() -> Reply {
    Reply::Refused(OwnerError::NoSuchRequest)
}

#[test]
fn r5_a_device_that_waits_is_approved_and_then_connects() {
    let mut host = Host::fresh();
    let (connection, request) = host.park(device(1));
    let [listed] = host.state.requests() else { panic!("one request") };
    assert_eq!((listed.id, listed.peer, &listed.name), (request, device(1), &name_of(device(1))));
    assert_eq!(listed.parked.map(|parked| parked.code), Some(code()));

    let done = host.does(Event::Approve { request, label: Some(name("Den")) });
    assert_eq!(done.effects, [Effect::Approved { connection }]);
    assert_eq!(
        done.reply,
        Reply::Approved { fingerprint: device(1).fingerprint, compared: Comparison::CodeShown }
    );
    assert_eq!((done.audit(), done.unsaved), (vec![AuditKind::Approved], Unsaved::Discard));
    assert!(host.state.requests().is_empty());
    assert_eq!(host.state.label(device(1).fingerprint), Some(&name("Den")));
    assert!(matches!(host.connect(device(1)).1.effects[..], [Effect::Admit { role: Role::Paired, .. }]));
}

/// What was approved without a code must say so for ever.
#[test]
fn r5_a_request_without_a_code_says_that_there_was_nothing_to_compare() {
    let mut host = Host::fresh();
    host.hello(device(1), Purpose::Knock);
    let request = host.request_of(device(1)).unwrap().id;
    let done = approve(&mut host, request);
    assert_eq!(
        done.reply,
        Reply::Approved { fingerprint: device(1).fingerprint, compared: Comparison::NothingToCompare }
    );
    assert_eq!(done.audit(), [AuditKind::ApprovedNotCompared]);
    let paired_by = host.stored.devices[&device(1).fingerprint].paired_by;
    assert_eq!(paired_by, PairedBy::Approval(Comparison::NothingToCompare));
}

#[test]
fn r5_one_device_is_one_entry_however_often_it_asks() {
    let mut host = Host::fresh();
    host.connect(device(1));
    assert_eq!(host.request_of(device(1)).unwrap().name.as_str(), DeviceName::UNNAMED);
    host.hello(device(1), Purpose::Knock);
    let named = host.request_of(device(1)).unwrap().clone();
    assert_eq!(named.name, name_of(device(1)));
    host.now = host.now + seconds(10);
    host.connect(device(1));
    host.hello(device(1), Purpose::Knock);
    let again = host.request_of(device(1)).unwrap();
    assert_eq!((again.id, &again.name), (named.id, &named.name), "it is the same to the owner");
    assert_eq!(again.asked_at, host.now);
    host.park(device(1));
    assert_eq!(host.state.requests().len(), 1);
}

/// The owner looks at one entry while the device changes what stands there, and clicks.
#[test]
fn inv_46_approving_what_has_changed_since_is_a_no_op() {
    let mut host = Host::fresh();
    host.connect(device(1));
    let shown = host.request_of(device(1)).unwrap().id;

    host.hello(device(1), Purpose::Knock);
    assert_eq!(approve(&mut host, shown).reply, no_such_request(), "another name");
    let shown = host.request_of(device(1)).unwrap().id;

    host.hello(at(1, 9), Purpose::Knock);
    assert_eq!(approve(&mut host, shown).reply, no_such_request(), "another address");
    let shown = host.request_of(device(1)).unwrap().id;

    host.park(device(1));
    assert_eq!(approve(&mut host, shown).reply, no_such_request(), "a code to compare");
    let shown = host.request_of(device(1)).unwrap().id;

    let (connection, _) = host.park(device(1));
    assert_eq!(approve(&mut host, shown).reply, no_such_request(), "another code");
    let shown = host.request_of(device(1)).unwrap().id;

    host.does(Event::Closed { connection });
    assert_eq!(approve(&mut host, shown).reply, no_such_request(), "no code any more");
    assert!(host.stored.devices.is_empty());
}

#[test]
fn inv_46_approving_an_expired_or_answered_request_is_a_no_op() {
    let mut host = Host::fresh();
    let (connection, request) = host.park(device(1));
    host.now = host.now + limits::REQUEST_LIFETIME;
    let done = approve(&mut host, request);
    assert_eq!(done.reply, no_such_request());
    assert_eq!(done.effects, [Effect::Close { connection, code: Code::RequestExpired }]);
    assert_eq!(done.audit(), [AuditKind::RequestExpired]);

    let (connection, request) = host.park(device(1));
    let done = host.does(Event::Deny { request });
    assert_eq!(done.effects, [Effect::Close { connection, code: Code::Denied }]);
    assert_eq!((&done.reply, done.audit()), (&Reply::Done, vec![AuditKind::Denied]));
    assert_eq!(approve(&mut host, request).reply, no_such_request());
    assert_eq!(host.does(Event::Deny { request }).reply, no_such_request());
    host.park(device(1));
}

/// A number that a page still shows from before a restart must not name another device's request.
#[test]
fn inv_46_numbers_go_on_after_a_restart() {
    let mut host = Host::fresh();
    let (_, shown) = host.park(device(1));
    host.config.first_request = shown.0 + 1;
    host.restart();
    host.park(device(2));
    assert_eq!(approve(&mut host, shown).reply, no_such_request());
}

/// Someone fills the list with any number of keys from any number of addresses while a device waits.
#[test]
fn inv_45_a_parked_request_survives_a_flood() {
    let mut host = Host::fresh();
    let (connection, request) = host.park(device(255));
    for round in 0..2_u8 {
        for n in 0..250_u8 {
            let (name_and_key, address) = (n ^ round, n / 3);
            host.hello(at(name_and_key, address), Purpose::Knock);
            host.connect(at(name_and_key.wrapping_add(1), address));
            assert!(host.state.requests().len() <= limits::REQUESTS);
        }
    }
    assert_eq!(approve(&mut host, request).effects, [Effect::Approved { connection }]);
}

/// The flood waits, too: as far as its addresses reach it fills the list, and it pushes out nobody who waits.
#[test]
fn inv_45_a_parked_flood_fills_the_list_and_no_more() {
    let mut host = Host::fresh();
    let (_, genuine) = host.park(device(255));
    let mut parked = 1;
    for n in 0..40_u8 {
        let (connection, done) = host.hello(at(n, n / 5), Purpose::Ask);
        if matches!(done.effects[..], [Effect::ExchangeCode { .. }]) {
            host.does(Event::Waiting { connection, code: code() });
            parked += 1;
        } else {
            let full = if n < 38 { Code::RateLimited } else { Code::Busy };
            assert_eq!((n, done.refusal()), (n, full));
            assert!(done.retry_after() < limits::REQUEST_LIFETIME, "the first to run out makes place");
        }
        host.now = host.now + seconds(1);
    }
    assert_eq!((parked, host.state.requests().len()), (32, 32));
    assert_eq!(host.hello(device(201), Purpose::Knock).1.refusal(), Code::Busy);
    assert_eq!(host.connect(device(201)).1.refusal(), Code::PairingRequired, "it hears what it always hears");
    assert!(matches!(approve(&mut host, genuine).reply, Reply::Approved { .. }));
}

#[test]
fn inv_45_an_address_has_four_entries_and_its_own_oldest_goes() {
    let mut host = Host::fresh();
    host.hello(device(100), Purpose::Knock);
    for n in 1..=5 {
        host.hello(at(n, 7), Purpose::Knock);
    }
    let listed: Vec<_> = host.state.requests().iter().map(|request| request.peer).collect();
    assert_eq!(listed, [device(100), at(2, 7), at(3, 7), at(4, 7), at(5, 7)]);
    assert_eq!(host.audit_kinds().last(), Some(&AuditKind::Requested));
    assert!(host.audit_kinds().contains(&AuditKind::RequestExpired));
}

/// The list filled up between the first message and the end of the exchange.
#[test]
fn inv_45_room_is_looked_for_again_when_the_exchange_is_done() {
    let mut host = Host::fresh();
    for n in 1..=3 {
        host.park(at(n, 7));
    }
    let (slow, _) = host.hello(at(4, 7), Purpose::Ask);
    host.hello(at(5, 7), Purpose::Knock);
    host.does(Event::Waiting { connection: slow, code: code() });
    assert_eq!(host.state.requests().len(), 4);
    assert!(host.request_of(device(5)).is_none(), "the one that nobody waits on made place");
}

#[test]
fn r5_a_newer_ask_replaces_the_one_that_waits() {
    let mut host = Host::fresh();
    let (old, replaced) = host.park(device(1));
    let (new, _) = host.hello(device(1), Purpose::Ask);
    assert!(host.request_of(device(1)).unwrap().parked.is_some(), "until the exchange is done");
    let done = host.does(Event::Waiting { connection: new, code: code() });
    let [Effect::Close { connection, code: Code::RequestExpired }, Effect::Parked { request, .. }] =
        done.effects[..]
    else {
        panic!("{done:?}")
    };
    assert_eq!(connection, old);
    assert_ne!(request, replaced);
    host.does(Event::Closed { connection: old });
    assert!(
        host.request_of(device(1)).unwrap().parked.is_some(),
        "the old connection's end is not the new one's"
    );
}

/// A second program on the device knocks while the first one waits.
#[test]
fn r5_a_knock_of_one_that_waits_changes_nothing() {
    let mut host = Host::fresh();
    host.park(device(1));
    let before = host.state.requests().to_vec();
    let (connection, done) = host.hello(at(1, 9), Purpose::Knock);
    assert_eq!(done.effects, [Effect::Left { connection }]);
    host.connect(at(1, 9));
    assert_eq!(host.state.requests(), before);
}

#[test]
fn r5_a_waiting_device_that_goes_leaves_its_request_without_a_code() {
    let mut host = Host::fresh();
    let (connection, request) = host.park(device(1));
    host.does(Event::Closed { connection });
    let left = host.request_of(device(1)).unwrap();
    assert_eq!(left.parked, None);
    assert_ne!(left.id, request);
}

/// A device that is paired by PIN while it waits hears of it and does not linger in the list.
#[test]
fn r5_pairing_answers_the_request() {
    let mut host = Host::fresh();
    let (waiting, _) = host.park(device(1));
    host.arm(Target::Device(device(1).fingerprint));
    let connection = host.confirm(at(1, 9));
    let done = host.does(Event::Confirmed { connection, peer: proof_of(device(1)) });
    assert_eq!(done.effects, [Effect::Paired { connection }, Effect::Approved { connection: waiting }]);
    assert!(host.state.requests().is_empty());
}

/// A device that is paired already, and has forgotten it, must not wait for an answer that nobody will give.
#[test]
fn r5_a_paired_device_that_asks_is_answered_at_once() {
    let mut host = Host::fresh();
    host.pair(device(1));
    let (connection, done) = host.hello(device(1), Purpose::Ask);
    assert_eq!(done.effects, [Effect::ExchangeCode { connection }]);
    let done = host.does(Event::Waiting { connection, code: code() });
    assert_eq!(done.effects, [Effect::Approved { connection }]);
    let (connection, done) = host.hello(device(1), Purpose::Knock);
    assert_eq!(done.effects, [Effect::Left { connection }]);
    assert!(host.state.requests().is_empty());
}

/// Exchanges that are begun and dropped take no PIN ceremony's slot, and are bounded like them.
#[test]
fn r5_exchanges_have_slots_of_their_own() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    for n in 1..=4 {
        host.hello(device(n), Purpose::Ask);
    }
    assert_eq!(host.hello(device(5), Purpose::Ask).1.refusal(), Code::RateLimited);
    host.share(device(1));
    let done = host.wait(limits::EXCHANGE_TIMEOUT);
    assert_eq!(done.effects.len(), 4, "an exchange that stalls is closed");
    assert!(host.state.requests().is_empty());
    host.park(device(5));
}

/// A request under a name that looks like a paired device's.
#[test]
fn inv_48_a_look_alike_is_pointed_out() {
    let mut host = Host::fresh();
    host.pair(device(1));
    host.does(Event::Rename { fingerprint: device(1).fingerprint, label: name("Paul's laptop") });
    let connection = host.new_connection();
    let (peer, purpose) = (device(2), Purpose::Knock);
    host.does(Event::Hello { connection, peer, name: name("Pаul's Iaptop"), purpose });
    host.hello(device(3), Purpose::Knock);
    let warned =
        |peer| host.state.look_alike(host.request_of(peer).unwrap()).map(|device| device.fingerprint);
    assert_eq!(warned(device(2)), Some(device(1).fingerprint));
    assert_eq!(warned(device(3)), None);
}
