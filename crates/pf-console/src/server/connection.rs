//! One connection, from its handshake to its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::{ServiceExt, service_fn};

use super::{seats::Seat, stopped};
use crate::Peer;

/// What every connection is served with.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) tls: TlsAcceptor,
    pub(super) app: Router,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Service {
    /// Serves a connection to its end; it has its seat until then.
    pub(super) async fn serve(self, stream: TcpStream, peer: SocketAddr, seat: Seat) {
        // An answer leaves at once, not when more has come together.
        let _ = stream.set_nodelay(true);
        match timeout(HANDSHAKE_TIMEOUT, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => self.answer(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS with a browser"),
            Err(_) => tracing::debug!(%peer, "a browser's TLS handshake took too long"),
        }
        drop(seat);
    }

    async fn answer(mut self, stream: TlsStream<TcpStream>, peer: SocketAddr) {
        let builder = builder(stream.get_ref().1.alpn_protocol());
        let asked = Arc::new(Notify::new());
        let has_asked = Arc::clone(&asked);
        let app = self.app;
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            has_asked.notify_one();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            app.clone().oneshot(request)
        });
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        tokio::pin!(connection);
        let silent = async {
            if timeout(FIRST_REQUEST_TIMEOUT, asked.notified()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = silent => return,
            () = stopped(&mut self.stopping) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection to the console broke");
        }
    }
}

/// How a connection speaks HTTP: as its handshake settled, so that nothing has to be guessed from its first bytes.
fn builder(alpn: Option<&[u8]>) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADERS)
        .max_headers(64);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS as u32)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    if alpn == Some(b"h2") { builder.http2_only() } else { builder.http1_only() }
}

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first request may take to arrive after it.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the headers of a request may take to arrive, with HTTP/1.1.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How large the headers of a request may be, in bytes.
const MAX_HEADERS: usize = 16 * 1024;
/// How many requests may be under way side by side on one connection, with HTTP/2.
const MAX_STREAMS: u32 = 64;
/// How often a browser is asked whether it is still there, with HTTP/2.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long it may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
