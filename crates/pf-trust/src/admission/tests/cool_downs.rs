//! What a burned PIN costs, also after a restart.

use super::*;

fn opens_in(host: &mut Host, target: Target) -> Duration {
    let Reply::Armed { opens_at, .. } = host.arm(target).reply else { panic!("not armed") };
    opens_at.since(host.now)
}

/// A guesser hopes for an owner who arms again at once after each wrong PIN.
#[test]
fn r4_a_window_armed_during_a_cool_down_opens_when_it_is_over() {
    let mut host = Host::fresh();
    for wait in [5, 10, 20, 40] {
        host.arm(Target::Anyone);
        host.now = host.state.window().unwrap().opens_at();
        host.guess_wrong(device(1));
        let Reply::Armed { opens_at, expires_at, .. } = host.arm(Target::Anyone).reply else {
            panic!("not armed")
        };
        assert_eq!(opens_at, host.now + seconds(wait));
        assert_eq!(expires_at, Some(opens_at + limits::WINDOW_DEFAULT), "the owner loses no time of it");
        let early = host.hello(device(1), Purpose::Pin).1;
        assert_eq!((early.refusal(), early.retry_after()), (Code::RateLimited, seconds(wait)));
    }
}

/// A success shows that the owner is there: the next window opens at once.
#[test]
fn r4_a_success_ends_the_cool_down() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    host.guess_wrong(device(1));
    host.arm(Target::Anyone);
    host.now = host.now + seconds(5);
    host.guess_right(device(2));
    assert_eq!(opens_in(&mut host, Target::Anyone), Duration::ZERO);
}

/// A guesser makes the host crash, or waits for its update, to get rid of the cool-down.
#[test]
fn inv_20_burns_survive_a_restart_and_pin_and_arming_do_not() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    host.guess_wrong(device(1));
    host.arm(Target::Anyone);
    host.restart();
    assert!(host.state.window().is_none(), "the window that was armed is gone, and its PIN with it");
    assert!(host.state.last_window().is_none());
    assert_eq!(opens_in(&mut host, Target::Anyone), seconds(5));
    assert_eq!(host.state.counters().in_a_row, 1);
}

/// The process dies after the PIN was taken and before the guess was evaluated: the charge was stored.
#[test]
fn inv_20_a_crash_after_m5_leaves_the_charge() {
    let mut host = Host::fresh();
    host.arm(Target::Anyone);
    host.confirm(device(1));
    host.restart();
    assert_eq!(opens_in(&mut host, Target::Anyone), seconds(5));
}

/// Ten thousand PINs are too few for one who gets to burn ten windows a day, every day.
#[test]
fn r4_after_ten_burned_windows_in_a_day_a_pin_has_six_digits() {
    let mut host = Host::fresh();
    let four = pf_base::PinDigits::DEFAULT;
    for _ in 0..10 {
        assert_eq!(host.state.pin_digits(Target::Anyone, host.now), four);
        host.arm(Target::Anyone);
        host.now = host.state.window().unwrap().opens_at();
        host.guess_wrong(device(1));
    }
    host.restart();
    assert_eq!(host.state.pin_digits(Target::Anyone, host.now).count(), 6);
    let short = host.does(Event::Arm { target: Target::Anyone, ttl: None, pin: pin(5) });
    assert_eq!(short.reply, Reply::Refused(OwnerError::PinTooShort));
    assert_eq!(opens_in(&mut host, Target::Device(device(2).fingerprint)), Duration::ZERO);
    assert_eq!(host.state.window().unwrap().pin_for_the_owner().len(), four, "a bound window may be short");
    assert_eq!(host.state.pin_digits(Target::Anyone, host.now + limits::DAY), four);
}
