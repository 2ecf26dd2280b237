//! Opening and closing the pairing window.

use super::*;

/// A PIN read off the console too late, or one that the owner has withdrawn, must not pair.
#[test]
fn inv_18_a_window_that_is_gone_never_pairs() {
    let ways: [fn(&mut Host); 3] = [
        |host| host.now = host.now + limits::WINDOW_DEFAULT,
        |host| drop(host.does(Event::Disarm)),
        |host| drop(host.arm(Target::Anyone)),
    ];
    for (nth, close) in ways.into_iter().enumerate() {
        let mut host = Host::fresh();
        host.arm(Target::Anyone);
        host.now = host.now + seconds(100);
        let (offered, shared) = (host.hello(device(1), Purpose::Pin).0, host.share(device(2)));
        close(&mut host);
        for event in [Event::Share { connection: offered }, Event::Confirm { connection: shared }] {
            let done = host.does(event);
            let told = |effect: &Effect| {
                matches!(
                    effect,
                    Effect::Refuse { code: Code::NotArmed, .. } | Effect::Close { code: Code::NotArmed, .. }
                )
            };
            assert!(done.effects.iter().all(told), "way {nth}: {done:?}");
        }
        assert_eq!(host.stored.counters, BurnCounters::default(), "way {nth} burns nothing");
    }
}

/// A ceremony that was offered the first window's PIN must not take the second one's.
#[test]
fn inv_18_arming_again_closes_the_ceremonies_of_the_window_before() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let stale = host.share(device(1));
    let done = host.arm(Target::Anyone);
    assert_eq!(done.effects, [Effect::Close { connection: stale, code: Code::NotArmed }]);
    assert_eq!(host.does(Event::Confirm { connection: stale }).refusal(), Code::NotArmed);
    assert_eq!(host.state.window().unwrap().generation(), 2);
    host.guess_right(device(1));
}

/// A flatmate tries, or tries to burn, the PIN that is meant for one device.
#[test]
fn inv_19_a_bound_window_is_for_its_device_alone() {
    let mut host = Host::fresh();
    host.arm(Target::Device(device(1).fingerprint));
    for _ in 0..50 {
        assert_eq!(host.hello(device(2), Purpose::Pin).1.refusal(), Code::ArmedForAnother);
    }
    assert_eq!(host.stored.counters, BurnCounters::default());
    host.guess_right(device(1));
    assert!(!host.state.is_paired(device(2).fingerprint));
}

/// The owner's own mistyping in a bound window is not a stranger's guess: it costs no cool-down.
#[test]
fn inv_19_a_bound_window_does_not_count() {
    let mut host = Host::fresh();
    let target = Target::Device(device(1).fingerprint);
    host.arm(target);
    assert_eq!(host.guess_wrong(device(1)).refusal(), Code::WrongPin);
    assert_eq!(host.stored.counters, BurnCounters::default());

    host.arm(Target::Anyone);
    host.guess_wrong(device(2));
    let before = host.stored.counters.clone();
    let Reply::Armed { opens_at, .. } = host.arm(target).reply else { panic!("not armed") };
    assert_eq!(opens_at, host.now, "no cool-down");
    host.guess_right(device(1));
    assert_eq!(host.stored.counters, before, "nor does its success forgive others their guesses");
}

/// Someone who was refused by a window must be told why, to know what to do.
#[test]
fn r4_pairing_must_be_armed_first() {
    let mut host = Host::fresh();
    assert_eq!(host.hello(device(1), Purpose::Pin).1.refusal(), Code::NotArmed);
    assert_eq!(host.state.next_deadline(), None);
    assert_eq!(host.does(Event::Disarm).reply, Reply::Refused(OwnerError::NotArmed));
}

#[test]
fn r4_a_window_lasts_two_minutes_and_five_at_most() {
    let mut host = Host::fresh();
    for (ttl, lasts) in [(None, 120), (Some(seconds(30)), 30), (Some(seconds(3600)), 300)] {
        let Reply::Armed { opens_at, expires_at, .. } =
            host.does(Event::Arm { target: Target::Anyone, ttl, pin: pin(4) }).reply
        else {
            panic!("not armed")
        };
        assert_eq!((opens_at, expires_at), (host.now, Some(host.now + seconds(lasts))));
        assert_eq!(host.state.next_deadline(), expires_at);
    }
}

/// The owner sees how it ended, and the audit log says so.
#[test]
fn r4_the_owner_sees_that_a_window_expired_or_was_closed() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    let done = host.wait(limits::WINDOW_DEFAULT);
    assert_eq!(host.state.last_window().unwrap().ending, Ending::Expired);
    assert_eq!(done.audit(), [AuditKind::WindowExpired]);
    assert!(done.changes.is_empty(), "time passes on a full disk as well");

    host.arm(Target::Anyone);
    let done = host.does(Event::Disarm);
    assert_eq!((&done.reply, done.unsaved), (&Reply::Done, Unsaved::StayClosed));
    assert_eq!(host.state.last_window().unwrap().ending, Ending::Cancelled);
    assert_eq!(
        host.audit_kinds(),
        [AuditKind::Armed, AuditKind::WindowExpired, AuditKind::Armed, AuditKind::Disarmed]
    );
}

/// A window for one waiting device is on record under its name.
#[test]
fn r4_arming_for_a_waiting_device_names_it() {
    let mut host = Host::fresh();
    host.park(device(1));
    host.arm(Target::Device(device(1).fingerprint));
    let line = host.stored.audit.last().unwrap();
    assert_eq!(line.fingerprint, Some(device(1).fingerprint));
    assert_eq!(line.name, Some(name_of(device(1))));
}

/// A short PIN must not slip in where the policy asks for a long one.
#[test]
fn r4_a_pin_that_is_too_short_arms_nothing() {
    let mut host =
        Host::with(Config { pin_digits: pf_base::PinDigits::new(8).unwrap(), ..Config::default() });
    let done = host.does(Event::Arm { target: Target::Anyone, ttl: None, pin: pin(7) });
    assert_eq!(done.reply, Reply::Refused(OwnerError::PinTooShort));
    assert!(host.state.window().is_none() && done.changes.is_empty());
}

/// The test host asks for a PIN at start, and for a fresh one after each use: right, wrong, or broken off.
#[test]
fn r4_the_test_host_is_always_armed() {
    let mut host = Host::with(Config { arming: Arming::Always, ..Config::default() });
    let rearm = || Effect::Rearm { digits: pf_base::PinDigits::DEFAULT };
    assert!(host.state.next_deadline().unwrap() <= host.now, "the first tick is due at once");
    assert_eq!(host.does(Event::Tick).effects, [rearm()]);
    assert_eq!(host.does(Event::Tick).effects, [], "it asks once");

    let Reply::Armed { expires_at, .. } = host.arm(Target::Anyone).reply else { panic!("not armed") };
    assert_eq!(expires_at, None);
    assert_eq!(host.wait(seconds(86_400)).effects, []);
    assert_eq!(host.does(Event::Disarm).reply, Reply::Refused(OwnerError::AlwaysArmed));

    assert_eq!(host.guess_right(device(1)).effects.last(), Some(&rearm()));
    host.arm(Target::Anyone);
    assert_eq!(host.guess_wrong(device(2)).effects.last(), Some(&rearm()));
    let Reply::Armed { opens_at, .. } = host.arm(Target::Anyone).reply else { panic!("not armed") };
    assert_eq!(opens_at.since(host.now), limits::COOL_DOWN_FIRST, "it cools down like any other");
    host.now = opens_at;
    let connection = host.confirm(device(2));
    assert_eq!(host.does(Event::Closed { connection }).effects, [rearm()]);
}

/// The disk was full when the test host wanted to arm: it asks again, and does not stay closed for good.
#[test]
fn r4_the_test_host_asks_again_for_a_pin_that_did_not_come() {
    let mut host = Host::with(Config { arming: Arming::Always, ..Config::default() });
    host.does(Event::Tick);
    assert_eq!(host.state.next_deadline(), Some(host.now + limits::REARM_AGAIN));
    assert!(matches!(host.wait(limits::REARM_AGAIN).effects[..], [Effect::Rearm { .. }]));
}
