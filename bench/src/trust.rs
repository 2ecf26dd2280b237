//! Handshakes: to pair, to be admitted, to be refused.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pf_base::DeviceName;
use pf_client::{Client, Connected, PictureSink, Play, Wishes};
use pf_codec::I420View;
use pf_media::picture::Size;
use pf_net::{ClientEndpoint, Expect, Plane};
use tokio::task::JoinSet;

use crate::{
    bare::{After, BareClient, BareHost, new_identity},
    host::Host,
    table::{Table, percentile},
};

/// How many times a device pairs.
const CEREMONIES: usize = 30;

/// How many times each side of the comparison dials.
const DIALS: usize = 200;

/// For how long strangers knock, and how many at once.
const KNOCKING: Duration = Duration::from_secs(3);
/// See [`KNOCKING`].
const STRANGERS: usize = 4;

pub(crate) async fn measure(table: &mut Table, host: &Host, bare: &BareHost) -> Result<()> {
    let bare_client = bare.client(After::Keep)?;
    let ceremony = ceremonies(host, &bare_client).await?;
    table.time("PIN ceremony, without the person (p50)", ceremony.figure, ceremony.baseline, "≤ 15 ms");
    let admission = admissions(host, &bare_client).await?;
    table.time("dial to `Admitted` (p50)", admission.figure, admission.baseline, "ratio ≤ 1.5");
    let refused = refusals(host).await?;
    let bare_refused = bare_refusals(bare.client(After::End)?).await?;
    table.rate("dials of strangers refused", refused, bare_refused);
    Ok(())
}

/// Medians of two things that were measured in turns.
struct Medians {
    figure: Duration,
    baseline: Duration,
}

impl Medians {
    fn of(mut figures: Vec<Duration>, mut baselines: Vec<Duration>) -> Self {
        Self { figure: percentile(&mut figures, 50), baseline: percentile(&mut baselines, 50) }
    }
}

/// From the dial to the pin in the client's store, each time by another device.
async fn ceremonies(host: &Host, bare: &BareClient) -> Result<Medians> {
    let (mut figures, mut baselines) = (Vec::new(), Vec::new());
    for _ in 0..CEREMONIES {
        let directory = tempfile::tempdir()?;
        let client = open(&directory)?;
        let found = client.find(&host.address().to_string()).await?;
        let pin = host.next_pin()?;
        let started = Instant::now();
        client.pair(&found, pin).await?;
        figures.push(started.elapsed());
        client.shutdown().await;
        baselines.push(bare.handshake().await?);
    }
    Ok(Medians::of(figures, baselines))
}

/// From the dial of a paired device to the host's yes.
async fn admissions(host: &Host, bare: &BareClient) -> Result<Medians> {
    let directory = tempfile::tempdir()?;
    let client = open(&directory)?;
    let found = client.find(&host.address().to_string()).await?;
    client.pair(&found, host.next_pin()?).await?;
    // A small picture: what the last session leaves to do must not slow the next dial.
    let wishes = Wishes { size: Some(Size::new(320, 180)), ..Wishes::default() };
    let (mut figures, mut baselines) = (Vec::new(), Vec::new());
    for _ in 0..DIALS {
        let Connected::Session(session) = client.connect(&found, wishes).await? else {
            anyhow::bail!("the host does not know a device that has just paired");
        };
        let play = Play { frames: Some(1), ..Play::default() };
        let (report, result) = session.play(play, Box::new(Nowhere), std::future::pending()).await;
        result?;
        figures.push(report.admitted_after);
        baselines.push(bare.handshake().await?);
    }
    client.shutdown().await;
    Ok(Medians::of(figures, baselines))
}

/// How many dials of unpaired devices the host turns away a second.
async fn refusals(host: &Host) -> Result<f64> {
    let identity = Arc::new(new_identity()?);
    let endpoint = Arc::new(ClientEndpoint::new()?);
    let (address, expect) = (host.address(), Expect::Exactly(host.fingerprint()));
    count(move || {
        let (identity, endpoint) = (Arc::clone(&identity), Arc::clone(&endpoint));
        async move {
            let connection =
                endpoint.dial(address, Plane::Session, &identity, expect, Duration::from_secs(5)).await?;
            connection.read_datagram().await.err().context("a stranger was let in")?;
            Ok(())
        }
    })
    .await
}

async fn bare_refusals(client: BareClient) -> Result<f64> {
    let client = Arc::new(client);
    count(move || {
        let client = Arc::clone(&client);
        async move { client.be_refused().await }
    })
    .await
}

/// How often something can be done a second, several doing it at once.
async fn count<F>(knock: impl Fn() -> F + Clone + Send + 'static) -> Result<f64>
where
    F: Future<Output = Result<()>> + Send,
{
    let counter = Arc::new(AtomicU64::new(0));
    let mut strangers = JoinSet::new();
    let started = Instant::now();
    for _ in 0..STRANGERS {
        let (knock, counter) = (knock.clone(), Arc::clone(&counter));
        strangers.spawn(async move {
            while started.elapsed() < KNOCKING {
                knock().await?;
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(done) = strangers.join_next().await {
        done??;
    }
    Ok(counter.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}

/// A client with a store of its own.
pub(crate) fn open(directory: &tempfile::TempDir) -> Result<Client> {
    Ok(Client::open(directory.path().join("client"), DeviceName::sanitise("bench"))?)
}

/// A sink for pictures that nobody looks at.
struct Nowhere;

impl PictureSink for Nowhere {
    fn show(&mut self, _: I420View<'_>) {}
}
