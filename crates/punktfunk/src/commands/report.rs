//! What `connect` says of a session that is over, to scripts and to people.

use std::time::{Duration, Instant};

use pf_client::{Latencies, Percentiles, Report, SoundReport, Stage};
use pf_proto::session::Offer;
use serde_json::{Map, Value, json};

/// For scripts; `started` is when the program did.
pub(super) fn view(report: &Report, started: Instant) -> Value {
    let from_start = report.first_frame_at.map(|at| at.saturating_duration_since(started));
    let (stream, arrived) = (report.stream.as_ref(), &report.arrived);
    json!({
        "frames": report.frames,
        "frames_shown": report.frames_shown,
        "first_frame_ms": report.first_frame.map(milliseconds),
        "first_frame_from_start_ms": from_start.map(milliseconds),
        "admitted_ms": milliseconds(report.admitted_after),
        "fps": rounded(report.frames_per_second()),
        "bitrate_mbps": rounded(report.megabits_per_second()),
        "decode_errors": report.decode_errors,
        "frames_sent": arrived.sent,
        "frames_on_time": arrived.on_time,
        "frames_late": arrived.late,
        "frames_lost": arrived.lost,
        "concealed": arrived.concealed,
        "repaired": arrived.repaired,
        "loss_percent": rounded(arrived.loss * 100.0),
        "recoveries_asked": arrived.recoveries_asked,
        "key_frame_requests": report.key_frame_requests,
        "rtt_ms": milliseconds(report.round_trip),
        "latency_ms": latencies(&report.latency),
        "sound": report.sound.as_ref().map(sound),
        "keys_and_pointer": stream.map(|stream| offer(stream.keys_and_pointer)),
        "gamepads": stream.map(|stream| offer(stream.gamepads)),
        "source": stream.map(|stream| stream.source.as_str()),
        "width": stream.map(|stream| stream.width),
        "height": stream.map(|stream| stream.height),
    })
}

/// By stage; one that was not measured is left out.
fn latencies(latency: &Latencies) -> Value {
    Stage::ALL
        .into_iter()
        .filter_map(|stage| Some((stage.name().to_owned(), percentiles(&latency.of(stage)?))))
        .collect::<Map<_, _>>()
        .into()
}

/// Whether the host gives something, or why not.
fn offer(offer: Offer) -> &'static str {
    match offer {
        Offer::Given => "given",
        Offer::Withheld => "withheld",
        Offer::NotAsked => "not_asked",
        Offer::PairedOnly => "paired_only",
        Offer::NotHere => "not_here",
        Offer::Unavailable => "unavailable",
    }
}

fn sound(sound: &SoundReport) -> Value {
    json!({
        "frames": sound.frames,
        "repaired": sound.repaired,
        "concealed": sound.concealed,
        "filled_in": sound.filled_in,
        "left_out": sound.left_out,
        "underruns": sound.underruns,
        "latency_ms": sound.latency.as_ref().map(percentiles),
        "skew_ms": sound.skew.as_ref().map(percentiles),
    })
}

fn percentiles(latency: &Percentiles) -> Value {
    json!({
        "p50": milliseconds(latency.p50),
        "p95": milliseconds(latency.p95),
        "p99": milliseconds(latency.p99),
    })
}

/// For people.
pub(super) fn text(report: &Report) -> String {
    let end = if report.frames_shown > 0 { "screen" } else { "decoded" };
    let latency = report.latency.of(Stage::Total).map_or_else(String::new, |latency| {
        format!(
            ", capture to {end} {} ms (95 %: {} ms)",
            milliseconds(latency.p50),
            milliseconds(latency.p95)
        )
    });
    format!(
        "{} pictures, {} a second, {} Mbit/s{latency}",
        report.frames,
        rounded(report.frames_per_second()),
        rounded(report.megabits_per_second()),
    )
}

fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

/// To two decimals, as much as these figures mean.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
