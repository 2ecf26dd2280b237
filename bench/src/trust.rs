//! Handshakes: to pair, to be admitted, to be refused.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pf_base::{DeviceName, Pin};
use pf_client::{Client, Connected, PictureSink, Play, Showing, Wishes};
use pf_codec::I420View;
use pf_media::picture::Size;
use pf_net::{ClientEndpoint, Expect, Plane};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    bare::{After, BareClient, BareHost, new_identity},
    host::Host,
    table::{Table, percentile},
};

/// How many times a device pairs.
const CEREMONIES: usize = 30;

/// How many times each of the compared dials.
const DIALS: usize = 100;

/// What a host gets to finish with the last device before the next one dials.
const REST: Duration = Duration::from_millis(100);

/// For how long strangers knock, and how many at once.
const KNOCKING: Duration = Duration::from_secs(3);
/// See [`KNOCKING`].
const STRANGERS: usize = 4;

pub(crate) async fn measure(table: &mut Table, host: &Host, bare: &BareHost) -> Result<()> {
    let bare_client = bare.client(After::Keep)?;
    let (mut pairings, mut handshakes) = ceremonies(host, &bare_client).await?;
    let (pairing, handshake) = (percentile(&mut pairings, 50), percentile(&mut handshakes, 50));
    table.time("PIN ceremony, without the person (p50)", pairing, handshake, "≤ 15 ms");
    let mut dials = admissions(host, &bare_client).await?;
    let admitted = percentile(&mut dials.admitted, 50);
    table.time("dial to `Admitted` (p50)", admitted, percentile(&mut dials.handshake, 50), "ratio ≤ 1.5");
    let answered = percentile(&mut dials.answered, 50);
    table.time("the same, to a bare handshake with a question and its answer", admitted, answered, "");
    let refused = refusals(host).await?;
    let bare_refused = bare_refusals(bare.client(After::End)?).await?;
    table.rate("dials of strangers refused", refused, bare_refused);
    Ok(())
}

/// From the dial to the pin in the client's store, each time by another device; and the bare handshakes between.
async fn ceremonies(host: &Host, bare: &BareClient) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut pairings, mut handshakes) = (Vec::new(), Vec::new());
    for _ in 0..CEREMONIES {
        let directory = tempfile::tempdir()?;
        let client = open(&directory)?;
        let found = client.find(&host.address().to_string()).await?;
        let pin = Pin::parse(&host.next_pin()?)?;
        sleep(REST).await;
        let started = Instant::now();
        client.pair(&found, pin).await?;
        pairings.push(started.elapsed());
        client.shutdown().await;
        sleep(REST).await;
        handshakes.push(bare.handshake().await?);
    }
    Ok((pairings, handshakes))
}

/// What a dial takes, measured in turns.
#[derive(Default)]
struct Dials {
    /// A paired device's, to the host's yes.
    admitted: Vec<Duration>,
    /// A bare one, to the end of the handshake.
    handshake: Vec<Duration>,
    /// A bare one, to the answer to a first message.
    answered: Vec<Duration>,
}

async fn admissions(host: &Host, bare: &BareClient) -> Result<Dials> {
    let directory = tempfile::tempdir()?;
    let client = open(&directory)?;
    let found = client.find(&host.address().to_string()).await?;
    client.pair(&found, Pin::parse(&host.next_pin()?)?).await?;
    // A small picture: what the last session leaves to do must not slow the next dial.
    let wishes = Wishes { size: Some(Size::new(320, 180)), ..Wishes::default() };
    let mut dials = Dials::default();
    for _ in 0..DIALS {
        sleep(REST).await;
        let Connected::Session(session) = client.connect(&found, wishes).await? else {
            anyhow::bail!("the host does not know a device that has just paired");
        };
        let play = Play { frames: Some(1), ..Play::default() };
        let (report, result) = session.play(play, Box::new(Nowhere), std::future::pending()).await;
        result?;
        dials.admitted.push(report.admitted_after);
        sleep(REST).await;
        dials.handshake.push(bare.handshake().await?);
        sleep(REST).await;
        dials.answered.push(bare.be_answered().await?);
    }
    client.shutdown().await;
    Ok(dials)
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
    fn show(&mut self, _: I420View<'_>, _: Showing) {}
}
