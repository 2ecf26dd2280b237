//! When a PIN is spent, on whom, and who gets to guess.

use super::*;

/// A guesser opens many connections and sends all confirmations at once, to get more than one guess out of one PIN.
#[test]
fn inv_09_one_evaluation_per_arming() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let racing: Vec<_> = (1..=4).map(|n| host.share(device(n))).collect();
    let mut evaluated = 0;
    for connection in racing {
        let done = host.does(Event::Confirm { connection });
        evaluated += done.effects.iter().filter(|effect| matches!(effect, Effect::Evaluate { .. })).count();
    }
    assert_eq!(evaluated, 1);
}

/// Two devices race for one PIN: the second to confirm is turned away, and told so at once.
#[test]
fn inv_09_the_loser_of_a_race_is_turned_away_unevaluated() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let (first, second) = (host.share(device(1)), host.share(device(2)));
    let done = host.does(Event::Confirm { connection: first });
    let [Effect::Evaluate { connection, taken }, lost] = &done.effects[..] else { panic!("{done:?}") };
    assert_eq!((*connection, taken.generation()), (first, 1));
    assert_eq!(*lost, Effect::Close { connection: second, code: Code::NotArmed });
    assert_eq!(host.does(Event::Confirm { connection: second }).refusal(), Code::NotArmed);
    assert!(!host.audit_kinds().contains(&AuditKind::WrongPin), "the loser spent nothing");
}

/// A crash between taking and evaluating must leave the PIN spent, so the step that takes it stores nothing it could
/// lose: the counters are charged, the attempt is on record, and the window is gone in the same step.
#[test]
fn inv_10_the_pin_is_taken_and_charged_before_it_is_evaluated() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let connection = host.share(device(1));
    let done = host.does(Event::Confirm { connection });
    assert!(host.state.window().is_none());
    assert!(
        matches!(&done.changes[..], [Change::Counters(charged), Change::Audit(_)] if charged.in_a_row == 1)
    );
    let attempt = host.stored.audit.last().unwrap();
    assert_eq!(attempt.kind, AuditKind::Attempt);
    assert_eq!(attempt.address, Some(device(1).address));
    assert_eq!(attempt.name, Some(name_of(device(1))));
    assert_eq!(done.unsaved, Unsaved::StayClosed, "also where the disk is full");
}

/// No share is made, and nothing evaluated, for a peer that skips a step.
#[test]
fn inv_08_a_message_out_of_order_is_fatal() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);

    let (early, _) = host.hello(device(1), Purpose::Pin);
    assert_eq!(host.does(Event::Confirm { connection: early }).refusal(), Code::ProtocolError);
    assert_eq!(host.does(Event::Share { connection: early }).refusal(), Code::NotArmed, "it is over");

    let twice = host.share(device(2));
    assert_eq!(host.does(Event::Share { connection: twice }).refusal(), Code::ProtocolError);

    let hasty = host.share(device(3));
    let done = host.does(Event::Confirmed { connection: hasty, peer: proof_of(device(3)) });
    assert_eq!(done.refusal(), Code::ProtocolError);
    assert!(!host.state.is_paired(device(3).fingerprint));

    let mixed = host.share(device(4));
    assert_eq!(host.does(Event::Waiting { connection: mixed, code: code() }).refusal(), Code::ProtocolError);

    let (again, _) = host.hello(device(5), Purpose::Pin);
    let event =
        Event::Hello { connection: again, peer: device(5), name: name_of(device(5)), purpose: Purpose::Pin };
    assert_eq!(host.does(event).refusal(), Code::ProtocolError);
    assert!(host.state.window().is_some(), "none of that spends the PIN");
    host.guess_right(device(6));
}

/// A proof of one device must not pair another.
#[test]
fn inv_08_a_proof_pairs_only_whom_it_names() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let connection = host.confirm(device(1));
    let done = host.does(Event::Confirmed { connection, peer: proof_of(device(2)) });
    assert_eq!(done.refusal(), Code::ProtocolError);
    assert_eq!(host.state.devices().count(), 0);
}

/// Dropping the connection before M5 learns nothing, so it must not let a stranger burn the owner's PIN.
#[test]
fn inv_11_an_abort_before_m5_does_not_burn() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let (offered, _) = host.hello(device(1), Purpose::Pin);
    host.does(Event::Closed { connection: offered });
    let shared = host.share(device(1));
    host.does(Event::Closed { connection: shared });
    let idle = host.share(device(1));
    let done = host.wait(limits::CEREMONY_TIMEOUT);
    assert_eq!(done.effects, [Effect::Close { connection: idle, code: Code::Unreachable }]);
    assert_eq!(*host.state.counters(), BurnCounters::default());
    host.guess_right(device(2));
}

/// After M5 every ending costs the PIN: a mismatch, a broken connection, silence, or one more message.
#[test]
fn inv_11_whatever_follows_m5_burns() {
    let endings: [fn(&mut Host, ConnectionId) -> Done; 4] = [
        |host, connection| host.does(Event::Mismatch { connection }),
        |host, connection| host.does(Event::Closed { connection }),
        |host, connection| host.does(Event::Confirm { connection }),
        |host, _| host.wait(limits::CEREMONY_TIMEOUT),
    ];
    for (nth, end) in endings.into_iter().enumerate() {
        let mut host = Host::fresh();
        host.arm(Target::Anyone);
        let connection = host.confirm(device(1));
        let done = end(&mut host, connection);
        assert_eq!(done.audit(), [AuditKind::WrongPin], "ending {nth}");
        let outcome = host.state.last_window().unwrap();
        assert_eq!(outcome.ending, Ending::WrongPin { peer: device(1), name: name_of(device(1)) });
        assert!(host.state.window().is_none(), "ending {nth}");
        assert_eq!(host.stored.counters.in_a_row, 1, "ending {nth}");
        let late = host.does(Event::Confirmed { connection, peer: proof_of(device(1)) });
        assert_eq!(late.refusal(), Code::NotArmed, "ending {nth}");
        assert_eq!(host.state.devices().count(), 0, "ending {nth}");
    }
}

/// A wrong PIN pairs nobody, closes the window, and opens no other.
#[test]
fn inv_12_a_wrong_pin_leaves_no_record_and_no_window() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let done = host.guess_wrong(device(1));
    assert_eq!(done.refusal(), Code::WrongPin);
    assert!(host.state.window().is_none());
    assert!(host.stored.devices.is_empty());
    assert_eq!(host.wait(seconds(600)).effects, [], "no re-arming by itself");
    let line = host.stored.audit.iter().find(|line| line.kind == AuditKind::WrongPin).unwrap();
    assert_eq!(line.fingerprint, Some(device(1).fingerprint));
    assert_eq!(line.address, Some(device(1).address));
    assert_eq!(line.name, Some(name_of(device(1))));
}

/// A person who mistyped tries the right PIN next: too late, it was that PIN's one guess.
#[test]
fn r4_wrong_pin_then_right_pin_on_same_window() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    host.guess_wrong(device(1));
    assert_eq!(host.hello(device(1), Purpose::Pin).1.refusal(), Code::NotArmed);
    assert!(!host.state.is_paired(device(1).fingerprint));
}

/// The store takes the device before the peer hears of it, and the counters that the attempt charged are cleared.
#[test]
fn r4_a_right_pin_pairs_and_clears_the_charge() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let connection = host.confirm(device(1));
    let done = host.does(Event::Confirmed { connection, peer: proof_of(device(1)) });
    assert_eq!(done.effects, [Effect::Paired { connection }]);
    assert_eq!(
        done.changes[..2],
        [Change::Pair(proof_of(device(1))), Change::Counters(BurnCounters::default())]
    );
    assert_eq!(done.audit(), [AuditKind::Paired]);
    assert_eq!(done.unsaved, Unsaved::Discard, "a device that cannot be stored is not paired");
    let outcome = host.state.last_window().unwrap();
    assert_eq!(outcome.ending, Ending::Paired { peer: device(1), name: name_of(device(1)) });
    assert_eq!(
        host.connect(device(1)).1.effects,
        [Effect::Admit { connection: ConnectionId(2), role: Role::Paired }]
    );
}

/// A stranger must not keep others from pairing by holding every slot, nor have the host compute without end.
#[test]
fn r4_ceremonies_are_few_at_once() {
    let mut host = Host::fresh();
    host.does(Event::Arm { target: Target::Anyone, ttl: Some(limits::WINDOW_MAX), pin: pin(4) });
    host.share(device(1));
    host.now = host.now + seconds(1);
    let same_address = host.hello(at(9, 1), Purpose::Pin).1;
    assert_eq!((same_address.refusal(), same_address.retry_after()), (Code::RateLimited, seconds(29)));
    for n in 2..=4 {
        host.share(device(n));
    }
    let fifth = host.hello(device(5), Purpose::Pin).1;
    assert_eq!((fifth.refusal(), fifth.retry_after()), (Code::RateLimited, seconds(29)));
    host.wait(fifth.retry_after());
    host.share(device(5));
}

/// A device whose connection broke unheard tries again at once, and still holds no second slot.
#[test]
fn r4_a_newer_ceremony_takes_the_slot_of_its_devices_older_one() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let older = host.share(device(1));
    let (newer, done) = host.hello(device(1), Purpose::Pin);
    let [Effect::Close { connection, code: Code::RateLimited }, Effect::Offer { .. }] = done.effects[..]
    else {
        panic!("{done:?}")
    };
    assert_eq!(connection, older);
    assert_eq!(host.does(Event::Confirm { connection: older }).refusal(), Code::NotArmed);
    host.does(Event::Share { connection: newer });
    host.does(Event::Confirm { connection: newer });
    host.arm(Target::Device(device(1).fingerprint));
    let third = host.hello(device(1), Purpose::Pin).1;
    assert_eq!(third.refusal(), Code::RateLimited, "one that is being evaluated is not replaced");
}

/// The PIN must not leak into a log by way of what is printed of the policy.
#[test]
fn inv_22_nothing_that_is_printed_shows_the_pin() {
    let mut host = Host::fresh();
    let mut printed = vec![format!("{:?}", host.arm(Target::Anyone))];
    let connection = host.hello(device(1), Purpose::Pin).0;
    for event in [Event::Share { connection }, Event::Confirm { connection }, Event::Mismatch { connection }]
    {
        printed.push(format!("{event:?} {:?}", host.state));
        printed.push(format!("{:?}", host.does(event)));
    }
    let printed = printed.concat();
    assert!(printed.contains("UsePin") && printed.contains("Pin(…)"));
    assert!(!printed.contains("0417"), "{printed}");
}

/// A subnet's worth of IPv6 addresses is one address.
#[test]
fn r4_a_subnet_gets_one_ceremony() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let from = |n, address: &str| Peer { address: address.parse().unwrap(), ..device(n) };
    host.share(from(1, "2001:db8::1"));
    let neighbour = host.hello(from(2, "2001:db8::2"), Purpose::Pin).1;
    assert_eq!(neighbour.refusal(), Code::RateLimited);
    host.share(from(3, "2001:db8:0:1::1"));
}

/// Starting and dropping ceremonies as fast as the network allows is bounded, whatever keys and addresses are used.
#[test]
fn r4_ten_ceremonies_a_second_begin() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    for n in 1..=10 {
        let connection = host.share(device(n));
        host.does(Event::Closed { connection });
    }
    let eleventh = host.hello(device(11), Purpose::Pin).1;
    assert_eq!((eleventh.refusal(), eleventh.retry_after()), (Code::RateLimited, seconds(1)));
    host.now = host.now + seconds(1);
    host.share(device(11));
}

/// Hellos that get no offer cost the flooder's victim nothing: only ceremonies that began are counted.
#[test]
fn r4_refused_hellos_use_up_no_slot() {
    let mut host = Host::fresh();
    for n in 1..=50 {
        assert_eq!(host.hello(device(n), Purpose::Pin).1.refusal(), Code::NotArmed);
    }
    host.pair(device(51));
}
