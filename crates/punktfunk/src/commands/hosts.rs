//! `discover`, `hosts`, `rename`, `wake`, `forget`, `identity`.

use std::{net::SocketAddr, time::Duration};

use pf_base::DeviceName;
use pf_client::{Client, Failure, WakeBy};
use pf_discovery::{Advert, browse_for};
use pf_store::{HostState, KnownHost};
use pf_trust::{proof::Comparison, route::PinnedBy};
use serde_json::{Value, json};

use super::time;
use crate::output::Output;

pub(super) async fn discover(patience: Duration) -> Result<Output, Failure> {
    let adverts = browse_for(patience, |_| false).await.map_err(|error| Failure::Machine {
        what: "the network cannot be searched",
        why: error.to_string(),
    })?;
    let data: Vec<Value> = adverts.iter().map(advert_view).collect();
    let lines: Vec<String> = adverts.iter().map(advert_line).collect();
    let text = if lines.is_empty() {
        "No host advertises itself on this network. One that does not can still be reached by its address."
            .to_owned()
    } else {
        lines.join("\n")
    };
    Ok(Output::new(json!({ "hosts": data }), text))
}

fn advert_view(advert: &Advert) -> Value {
    json!({
        "name": advert.name.as_str(),
        "id": advert.id,
        "fingerprint": advert.fingerprint.map(|fingerprint| fingerprint.hex()),
        "pair": advert.policy.map(pf_base::PairPolicy::word),
        "addresses": advert.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn advert_line(advert: &Advert) -> String {
    let policy = match advert.policy {
        Some(pf_base::PairPolicy::Optional) => "trust on first use",
        Some(pf_base::PairPolicy::Required) | None => "pairing required",
    };
    let claimed = advert.fingerprint.map_or_else(String::new, |fingerprint| fingerprint.for_the_eye());
    let address = advert.addresses.first().map_or_else(String::new, ToString::to_string);
    format!("{:<24} {address:<24} {policy:<20} {claimed}", advert.name)
}

pub(super) fn hosts(client: &Client) -> Result<Output, Failure> {
    let hosts = client.hosts()?;
    let data: Vec<Value> = hosts.iter().map(host_view).collect();
    let lines: Vec<String> = hosts.iter().map(host_lines).collect();
    let text = if lines.is_empty() {
        "No host is known yet. `punktfunk discover` lists those on this network.".to_owned()
    } else {
        lines.join("\n")
    };
    Ok(Output::new(json!({ "hosts": data }), text))
}

fn host_view(host: &KnownHost) -> Value {
    json!({
        "name": host.label.as_str(),
        "fingerprint": host.fingerprint.hex(),
        "fingerprint_for_the_eye": host.fingerprint.for_the_eye(),
        "state": state_word(host.state),
        "addresses": host.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "last_used": host.last_used.map(time),
        "own_name": host.own_name.as_str(),
        "hardware_addresses": host.hardware.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn host_lines(host: &KnownHost) -> String {
    let state = match host.state {
        HostState::Pinned { how: PinnedBy::Pin, .. } => "paired by PIN",
        HostState::Pinned { how: PinnedBy::Approval(Comparison::CodeShown), .. } => "approved, code compared",
        HostState::Pinned { how: PinnedBy::Approval(Comparison::NothingToCompare), .. } => {
            "approved, not compared"
        }
        HostState::Pinned { how: PinnedBy::FirstUse, .. } => {
            "trusted on first use: an impostor would not be noticed"
        }
        HostState::Forgotten { .. } => "forgotten: must be paired by PIN",
        HostState::Asked { .. } => "asked for access",
        HostState::SeenRequired { .. } => "not paired",
    };
    let address = host.addresses.first().map_or_else(String::new, ToString::to_string);
    format!("{:<24} {address:<24} {state}\n    {}", host.label, host.fingerprint)
}

fn state_word(state: HostState) -> &'static str {
    match state {
        HostState::Pinned { how: PinnedBy::Pin, .. } => "paired",
        HostState::Pinned { how: PinnedBy::Approval(Comparison::CodeShown), .. } => "approved",
        HostState::Pinned { how: PinnedBy::Approval(Comparison::NothingToCompare), .. } => {
            "approved_not_compared"
        }
        HostState::Pinned { how: PinnedBy::FirstUse, .. } => "first_use",
        HostState::Forgotten { .. } => "forgotten",
        HostState::Asked { .. } => "asked",
        HostState::SeenRequired { .. } => "seen",
    }
}

pub(super) fn rename(client: &Client, host: &str, label: &DeviceName) -> Result<Output, Failure> {
    let before = client.the_one(host)?;
    let renamed = client.rename(before.fingerprint, label)?;
    Ok(Output::new(
        json!({
            "name": renamed.label.as_str(),
            "name_before": before.label.as_str(),
            "fingerprint": renamed.fingerprint.hex(),
        }),
        format!("{} is called {} here from now on.", before.label, renamed.label),
    ))
}

pub(super) async fn wake(client: &Client, host: &str, to: Option<SocketAddr>) -> Result<Output, Failure> {
    let host = client.the_one(host)?;
    let woken = client.wake(host.fingerprint, to.map_or(WakeBy::Broadcast, WakeBy::Address)).await?;
    let addresses: Vec<_> = woken.host.hardware.iter().map(ToString::to_string).collect();
    let sent_to: Vec<_> = woken.sent_to.iter().map(ToString::to_string).collect();
    let text = format!(
        "Called {} ({}) at {}. Whether it wakes, it does not say: connect in a minute.",
        woken.host.label,
        addresses.join(", "),
        sent_to.join(", "),
    );
    Ok(Output::new(
        json!({
            "name": woken.host.label.as_str(),
            "fingerprint": woken.host.fingerprint.hex(),
            "hardware_addresses": addresses,
            "sent_to": sent_to,
        }),
        text,
    ))
}

pub(super) fn forget(client: &Client, host: &str) -> Result<Output, Failure> {
    let forgotten = client.forget(client.the_one(host)?.fingerprint)?;
    Ok(Output::new(
        json!({ "name": forgotten.label.as_str(), "fingerprint": forgotten.fingerprint.hex() }),
        format!("Forgot {}. Should it come back, it must be paired by PIN.", forgotten.label),
    ))
}

pub(super) fn identity(client: &Client) -> Output {
    let fingerprint = client.fingerprint();
    Output::new(
        json!({
            "fingerprint": fingerprint.hex(),
            "fingerprint_shown": fingerprint.to_string(),
            "fingerprint_for_the_eye": fingerprint.for_the_eye(),
        }),
        format!("Fingerprint  {fingerprint}\nFor the eye  {}", fingerprint.for_the_eye()),
    )
}
