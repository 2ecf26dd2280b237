//! The baseline of a handshake: quinn as it comes, with the TLS settings of the protocol and nothing around it.
//!
//! TLS 1.3 with the post-quantum hybrid, a certificate on both sides, no tickets. The host has a process of its own, as
//! Punktfunk's has. What it does after the handshake goes by the protocol name: it keeps the connection and
//! sends back what it gets, or ends it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use pf_base::Identity;
use pf_peers::{Credentials, Gullible};
use quinn::crypto::rustls::HandshakeData;
use rustls::{client::Resumption, server::NoServerSessionStorage};
use tokio::time::Instant;

/// The argument that makes this program the host.
pub(crate) const WORD: &str = "bare-host";

/// A message as long as a client's hello.
const MESSAGE: [u8; 64] = [7; 64];

/// What the host does with a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Keeps it until the client ends it, and sends back the first message.
    Keep,
    /// Ends it at once, as one refuses a stranger.
    End,
}

/// A host in a process of its own.
pub(crate) struct BareHost {
    process: Child,
    address: SocketAddr,
}

/// Dials it.
pub(crate) struct BareClient {
    endpoint: quinn::Endpoint,
    config: quinn::ClientConfig,
    host: SocketAddr,
}

impl BareHost {
    pub(crate) fn start() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(WORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().parse().context("the bare host did not start")?;
        Ok(Self { process, address })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// A client of it. Must be called inside of a tokio runtime.
    pub(crate) fn client(&self, after: After) -> Result<BareClient> {
        let credentials = Credentials::of(&new_identity()?);
        let mut tls = pf_peers::client_tls(alpn(after), Some(&credentials), &verifier());
        tls.resumption = Resumption::disabled();
        let config = pf_peers::quic_client(tls);
        let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(BareClient { endpoint, config, host: self.address })
    }
}

impl Drop for BareHost {
    fn drop(&mut self) {
        // It is a child that holds nothing.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

impl BareClient {
    /// A handshake, to the client's end of it.
    pub(crate) async fn handshake(&self) -> Result<Duration> {
        let dialled = Instant::now();
        let connection = self.endpoint.connect_with(self.config.clone(), self.host, "bare")?.await?;
        let took = dialled.elapsed();
        connection.close(0u8.into(), &[]);
        Ok(took)
    }

    /// A handshake, and a message that the host sends back.
    pub(crate) async fn be_answered(&self) -> Result<Duration> {
        let dialled = Instant::now();
        let connection = self.endpoint.connect_with(self.config.clone(), self.host, "bare")?.await?;
        let (mut to_host, mut from_host) = connection.open_bi().await?;
        to_host.write_all(&MESSAGE).await?;
        from_host.read_exact(&mut [0; MESSAGE.len()]).await?;
        let took = dialled.elapsed();
        connection.close(0u8.into(), &[]);
        Ok(took)
    }

    /// A handshake that the host ends as soon as it is done.
    pub(crate) async fn be_refused(&self) -> Result<()> {
        self.endpoint.connect_with(self.config.clone(), self.host, "bare")?.await?.closed().await;
        Ok(())
    }
}

/// Is the host until standard input ends.
pub(crate) fn serve() -> Result<()> {
    let alpns = [After::Keep, After::End].map(alpn);
    let mut tls = pf_peers::host_tls(&alpns, &Credentials::of(&new_identity()?), &verifier());
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    let config = pf_peers::quic_host(tls);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let endpoint = {
        let _inside = runtime.enter();
        quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into())?
    };
    println!("{}", endpoint.local_addr()?);
    std::io::stdout().flush()?;
    runtime.spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                // A client that breaks off is its own measurement's error.
                let Ok(connection) = incoming.await else { return };
                let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
                if data.is_some_and(|data| data.protocol.as_deref() == Some(alpn(After::End))) {
                    connection.close(0u8.into(), &[]);
                }
                if let Ok((mut to_client, mut from_client)) = connection.accept_bi().await {
                    let mut message = MESSAGE;
                    if from_client.read_exact(&mut message).await.is_ok() {
                        // A client that is gone wants no answer.
                        let _ = to_client.write_all(&message).await;
                    }
                }
                connection.closed().await;
            });
        }
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Checks what every peer must: that the certificate's key signed the handshake.
fn verifier() -> Arc<Gullible> {
    Arc::new(Gullible::that_checks_signatures())
}

fn alpn(after: After) -> &'static [u8] {
    match after {
        After::Keep => b"keep",
        After::End => b"end",
    }
}

/// An identity that nobody knows.
pub(crate) fn new_identity() -> Result<Identity> {
    let directory = tempfile::tempdir()?;
    Ok(pf_store::identity::load_or_create(&pf_store::DataDir::open(directory.path().join("identity"))?)?)
}
