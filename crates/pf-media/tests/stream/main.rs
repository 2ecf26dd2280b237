//! A stream that holds: over links that lose, become slow and are shared. All in virtual time, with fixed seeds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_macros, reason = "the figures are part of what these tests are for")]

mod sim;

use std::time::Duration;

use pf_media::rate::Limits;
use sim::{ENCODER, Encoder, Figures, Link, Sim};

const FPS: u32 = 60;
const LIMITS: Limits = Limits { floor: 500_000, start: 4_000_000, ceiling: 20_000_000 };

/// Long enough that the start's parity is over.
const MEASURED: Duration = Duration::from_secs(36);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A stream of up to `ceiling` over `link`, for [`MEASURED`] after the first two seconds.
fn measure(seed: u64, link: Link, ceiling: u64, encoder: Encoder) -> (Figures, Sim) {
    let mut sim = Sim::new(seed, link);
    let flow = sim.start(FPS, Limits { ceiling, ..LIMITS }, encoder);
    sim.run(seconds(2));
    sim.take_figures(flow);
    sim.run(MEASURED);
    (sim.take_figures(flow), sim)
}

fn tell(what: &str, figures: &Figures, sim: &Sim) {
    let flow = &sim.flows[0];
    println!(
        "{what}: {:.3} % on time of {} ({} sent, {} shown), {:.1} Mbit/s, p50 {:?} p95 {:?} p99 {:?}, {} keys, {} requests, loss {:.1} %, parity of 30: {}, {:?}",
        figures.on_time_share() * 100.0,
        figures.pictures,
        figures.sent,
        figures.shown,
        figures.wire_bytes as f64 * 8.0 / (MEASURED.as_secs_f64() * 1e6),
        figures.percentile(50),
        figures.percentile(95),
        figures.percentile(99),
        figures.keys,
        figures.requests,
        flow.sender.parity().loss() * 100.0,
        flow.sender.parity().parity_for(sim.now, 30),
        flow.receiver.counters(),
    );
}

#[test]
fn a_clean_link_shows_every_picture_on_time_and_ends_without_parity() {
    let (figures, sim) = measure(1, Link::of(50), 20_000_000, ENCODER);
    tell("clean", &figures, &sim);
    assert!(figures.on_time_share() > 0.999);
    assert_eq!(sim.flows[0].sender.parity().parity_for(sim.now, 30), 0);
    assert!(sim.flows[0].sender.rate().rate() == 20_000_000);
}

/// Random loss on a link of 20 ms round trip, of encoders with and without long-term references.
#[test]
fn random_loss_is_repaired() {
    for (loss_per_mille, long_term, least) in
        [(10, false, 0.997), (50, true, 0.995), (50, false, 0.995), (100, true, 0.98), (100, false, 0.98)]
    {
        let link = Link { loss_per_mille, ..Link::of(50) };
        let (figures, sim) = measure(2, link, 20_000_000, Encoder { long_term, ..ENCODER });
        tell(&format!("{} % loss, long-term {long_term}", loss_per_mille / 10), &figures, &sim);
        assert!(figures.on_time_share() >= least, "{:.4}", figures.on_time_share());
        assert!(sim.flows[0].sender.rate().rate() >= 16_000_000, "loss without a queue is no congestion");
    }
}

#[test]
fn bursts_of_eight_each_second_are_repaired() {
    for seed in [4, 5] {
        let link = Link { bursts: Some((seconds(1), 8)), ..Link::of(50) };
        let (figures, sim) = measure(seed, link, 20_000_000, ENCODER);
        tell("bursts of 8", &figures, &sim);
        assert!(figures.on_time_share() >= 0.99);
    }
}

/// The picture of a desktop is shorter than a burst, which would take it whole, data and parity.
#[test]
fn bursts_of_eight_each_second_are_repaired_in_frames_of_four_shards() {
    for (seed, long_term) in [(13, true), (14, false)] {
        let link = Link { bursts: Some((seconds(1), 8)), ..Link::of(50) };
        let encoder = Encoder { long_term, fixed: Some(4_500) };
        let (figures, sim) = measure(seed, link, 20_000_000, encoder);
        tell("bursts of 8, four shards", &figures, &sim);
        assert!(figures.on_time_share() >= 0.99);
    }
}

#[test]
fn small_frames_are_repaired_too() {
    let link = Link { loss_per_mille: 50, ..Link::of(50) };
    let (figures, sim) = measure(6, link, 20_000_000, Encoder { fixed: Some(1_500), ..ENCODER });
    tell("small frames, 5 % loss", &figures, &sim);
    assert!(figures.on_time_share() >= 0.995);
}

#[test]
fn jitter_of_20_ms_is_no_congestion() {
    let link = Link { jitter: Duration::from_millis(20), ..Link::of(50) };
    let (figures, sim) = measure(7, link, 20_000_000, ENCODER);
    tell("20 ms jitter", &figures, &sim);
    assert!(sim.flows[0].sender.rate().rate() >= 18_000_000);
    assert!(figures.on_time_share() >= 0.98);
}

#[test]
fn the_rate_follows_the_link_down_and_up() {
    for seed in [8, 9] {
        let mut sim = Sim::new(seed, Link::of(20));
        let flow = sim.start(FPS, Limits { ceiling: 50_000_000, ..LIMITS }, ENCODER);
        sim.run(seconds(10));
        let rate = |sim: &Sim| sim.flows[flow].sender.rate().rate();
        let before = rate(&sim);
        assert!(before >= 15_000_000, "{before}");
        sim.take_figures(flow);

        sim.link.bits_per_second = 4_000_000;
        let mut settled = None;
        for tenth in 1..=20 {
            sim.run(Duration::from_millis(100));
            if rate(&sim) > 4_400_000 {
                settled = None;
            } else if settled.is_none() {
                settled = Some(tenth);
            }
        }
        let transition = sim.take_figures(flow);
        sim.run(seconds(18));
        let slow = sim.take_figures(flow);
        let mut whole = transition.clone();
        whole.delays.extend(&slow.delays);
        println!(
            "20 → 4: settled after {settled:?} tenths; whole p95 {:?} p99 {:?} max {:?}; then p95 {:?}, rate {}, {:.2} Mbit/s, {} of {} pictures",
            whole.percentile(95),
            whole.percentile(99),
            whole.percentile(100),
            slow.percentile(95),
            rate(&sim),
            slow.wire_bytes as f64 * 8.0 / 18e6,
            slow.shown,
            slow.pictures,
        );
        assert!(settled.is_some(), "down within two seconds");
        assert!(whole.percentile(95) <= Duration::from_millis(100));
        assert!(slow.wire_bytes * 8 / 18 >= 3_000_000, "and in use");

        sim.link.bits_per_second = 20_000_000;
        let mut recovered = None;
        for tenth in 1..=50 {
            sim.run(Duration::from_millis(100));
            if recovered.is_none() && rate(&sim) >= before.min(20_000_000) * 9 / 10 {
                recovered = Some(tenth);
            }
        }
        println!("4 → 20: back after {recovered:?} tenths, from {before}");
        assert!(recovered.is_some());
    }
}

#[test]
fn two_streams_share_a_link() {
    for seed in [10, 11] {
        let mut sim = Sim::new(seed, Link::of(20));
        let limits = Limits { ceiling: 50_000_000, ..LIMITS };
        let first = sim.start(FPS, limits, ENCODER);
        sim.run(seconds(10));
        let second = sim.start(FPS, limits, ENCODER);
        sim.run(seconds(30));
        sim.take_figures(first);
        sim.take_figures(second);
        sim.run(seconds(30));
        let [a, b] = [first, second].map(|flow| sim.take_figures(flow));
        let [x, y] = [&a, &b].map(|figures| figures.wire_bytes as f64 * 8.0 / 30e6);
        println!("shares {x:.1} and {y:.1} Mbit/s, p95 {:?} and {:?}", a.percentile(95), b.percentile(95));
        assert!(x / y <= 2.0 && y / x <= 2.0);
        assert!(x + y >= 14.0, "the link is in use");
        assert!(a.percentile(95).max(b.percentile(95)) <= Duration::from_millis(100));
    }
}

/// Ten hours of a desktop on which little happens, at 1 % loss: what is kept is bounded, so the last hour is as good as
/// the first.
#[test]
fn ten_hours_change_nothing() {
    let link = Link { loss_per_mille: 10, ..Link::of(50) };
    let mut sim = Sim::new(12, link);
    let flow = sim.start(5, LIMITS, Encoder { fixed: Some(200), ..ENCODER });
    for hour in 0..10 {
        sim.run(seconds(3600));
        let figures = sim.take_figures(flow);
        assert!(figures.on_time_share() >= 0.995, "hour {hour}: {:.4}", figures.on_time_share());
        assert!(sim.scheduled_now() < 16, "nothing piles up");
    }
    let counters = sim.flows[flow].receiver.counters();
    println!("ten hours: {counters:?}");
    assert!(counters.complete > 179_000);
}
