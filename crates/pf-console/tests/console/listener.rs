//! The listener, on the loopback interface, with real TLS.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pem::Pem;
use pf_console::{
    Reach,
    server::{Certificate, Config, Listen, ServeError, Server},
};
use pf_store::DataDir;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::support::{Console, PASSWORD};

/// A console that listens, with a certificate for `localhost`.
struct Listening {
    address: SocketAddr,
    root: CertificateDer<'static>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    files: TempDir,
}

impl Listening {
    fn start(console: &Console) -> Self {
        let files = tempfile::tempdir().unwrap();
        let root = write_certificate(files.path());
        let server = Server::bind(config(of_files(files.path()))).unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(console.host.clone(), console.sign_ins.clone(), async {
            let _ = stopped.await;
        }));
        Self { address, root, stop, served: running, files }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn tls(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        self.handshake(self.tcp().await, alpn).await.unwrap()
    }

    async fn handshake(&self, stream: TcpStream, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Signs in over a connection of its own, and asks for something.
    async fn ask(&self, alpn: &[u8], path: &str) -> Response<Incoming> {
        let origin = format!("https://localhost:{}", self.address.port());
        let stream = TokioIo::new(self.tls(alpn).await);
        let sign_in = Request::post(format!("{origin}/api/v1/sign-in"))
            .header("host", origin.trim_start_matches("https://"))
            .header("origin", &origin)
            .header("content-type", "application/json")
            .body(Body::from(json!({ "password": PASSWORD }).to_string()))
            .unwrap();
        let get = |cookie: &str| {
            Request::get(format!("{origin}{path}"))
                .header("host", origin.trim_start_matches("https://"))
                .header("cookie", cookie)
                .body(Body::empty())
                .unwrap()
        };
        if alpn == b"h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(connection);
            let signed_in = sender.send_request(without_host(sign_in)).await.unwrap();
            sender.send_request(without_host(get(&cookie(&signed_in)))).await.unwrap()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            let signed_in = sender.send_request(sign_in).await.unwrap();
            let cookie = cookie(&signed_in);
            signed_in.into_body().collect().await.unwrap();
            sender.send_request(get(&cookie)).await.unwrap()
        }
    }
}

/// HTTP/2 says it in the request line.
fn without_host(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().remove("host");
    request
}

fn cookie(response: &Response<Incoming>) -> String {
    let set = response.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

fn config(certificate: Certificate) -> Config {
    Config {
        listen: Listen::On((Ipv4Addr::LOCALHOST, 0).into()),
        reach: Reach::Local,
        certificate,
        machine: "box".to_owned(),
        names: Vec::new(),
    }
}

fn of_files(dir: &Path) -> Certificate {
    Certificate::Files { certificate: dir.join("cert.pem"), key: dir.join("key.pem") }
}

fn write_certificate(dir: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().der().clone();
    let write = |file: &str, tag: &str, der: Vec<u8>| {
        std::fs::write(dir.join(file), pem::encode(&Pem::new(tag, der))).unwrap();
    };
    write("cert.pem", "CERTIFICATE", certificate.to_vec());
    write("key.pem", "PRIVATE KEY", key.serialize_der());
    certificate
}

/// Whether the other side closed without a word.
async fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]).await {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[tokio::test]
async fn both_versions_of_http_work() {
    let console = Console::new().await;
    let listening = Listening::start(&console);
    for alpn in [b"h2".as_slice(), b"http/1.1"] {
        let answer = listening.ask(alpn, "/api/v1/sign-in").await;
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let sign_in: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(sign_in["address"], "127.0.0.1");
    }
}

/// Somebody speaks plain HTTP to the console, and would send the password so.
#[tokio::test]
async fn r8_there_is_nothing_without_tls() {
    let console = Console::new().await;
    let listening = Listening::start(&console);
    let mut stream = listening.tcp().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.windows(4).any(|part| part == b"HTTP"), "{answer:?}");
}

/// One machine opens connections until nobody else can, and says nothing on them.
#[tokio::test]
async fn inv_50_one_address_gets_so_many_connections() {
    let console = Console::new().await;
    let listening = Listening::start(&console);
    tokio::time::pause();
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(listening.tcp().await);
    }
    let start = tokio::time::Instant::now();
    assert!(is_closed(&mut listening.tcp().await).await);
    assert_eq!(start.elapsed(), Duration::ZERO, "it did not wait for a handshake");
    tokio::time::resume();
    drop(silent.pop());
    // The server learns of the end on its own time.
    while listening.handshake(listening.tcp().await, b"h2").await.is_err() {}
}

/// Somebody connects and never shakes hands.
#[tokio::test]
async fn inv_50_a_slow_handshake_is_dropped() {
    let console = Console::new().await;
    let listening = Listening::start(&console);
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    assert!(is_closed(&mut listening.tcp().await).await);
    assert_eq!(start.elapsed().as_secs(), 5);
}

/// Somebody shakes hands and never asks for anything, or never finishes asking.
#[tokio::test]
async fn inv_50_a_connection_without_a_request_is_dropped() {
    let console = Console::new().await;
    let listening = Listening::start(&console);
    for (alpn, said) in
        [(b"h2".as_slice(), b"".as_slice()), (b"http/1.1", b""), (b"http/1.1", b"GET / HTTP/1.1\r\nHost:")]
    {
        let mut stream = listening.tls(alpn).await;
        stream.write_all(said).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.windows(3).any(|part| part == b"200"));
        assert!(start.elapsed() < Duration::from_secs(11), "{:?}", start.elapsed());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_stop_ends_streams_and_frees_the_port() {
    let console = Console::new().await;
    let listening = Listening::start(&console);
    let mut streams = Vec::new();
    for alpn in [b"h2".as_slice(), b"http/1.1"] {
        let mut body = listening.ask(alpn, "/api/v1/events").await.into_body();
        body.frame().await.unwrap().unwrap();
        streams.push(body);
    }
    listening.stop.send(()).unwrap();
    // A guard against waiting for good, not a measurement: the server itself allows a second.
    timeout(Duration::from_secs(30), listening.served).await.unwrap().unwrap();
    for mut body in streams {
        while let Some(Ok(_)) = body.frame().await {}
    }
    assert!(TcpStream::connect(listening.address).await.is_err());
    let again = Config { listen: Listen::On(listening.address), ..config(of_files(listening.files.path())) };
    assert!(Server::bind(again).is_ok());
}

/// The owner compares what the browser shows of the certificate with what the host printed.
#[tokio::test]
async fn the_hosts_own_certificate_is_shown_as_browsers_do() {
    let dir = tempfile::tempdir().unwrap();
    let identity =
        pf_store::identity::load_or_create(&DataDir::open(dir.path().join("data")).unwrap()).unwrap();
    let hash = Sha256::digest(identity.certificate());
    let pairs: Vec<_> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    let server = Server::bind(config(Certificate::Own(identity))).unwrap();
    assert_eq!(server.certificate_sha256(), pairs.join(":"));
    assert_ne!(server.address().port(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_or_a_port_is_said() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_certificate(one.path());
    write_certificate(other.path());
    let (cert, key) = (one.path().join("cert.pem"), one.path().join("key.pem"));
    let (missing, others_key) = (one.path().join("missing.pem"), other.path().join("key.pem"));
    for (certificate, key, expected) in [
        (&missing, &key, "cannot be read"),
        (&cert, &missing, "cannot be read"),
        (&key, &key, "no certificate"),
        (&cert, &cert, "no private key"),
        (&cert, &others_key, "does not belong"),
    ] {
        let certificate = Certificate::Files { certificate: certificate.clone(), key: key.clone() };
        let Err(ServeError::Certificate(error)) = Server::bind(config(certificate)) else {
            panic!("it was taken")
        };
        assert!(error.to_string().contains(expected), "{error}");
        assert!(
            error.to_string().ends_with('.') && error.way_on().ends_with('.'),
            "{error} {}",
            error.way_on()
        );
    }
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listen = Listen::On(taken.local_addr().unwrap());
    let Err(error) = Server::bind(Config { listen, ..config(of_files(one.path())) }) else {
        panic!("the port was free")
    };
    assert!(error.way_on().contains("--console-bind"), "{error}");
}

#[tokio::test]
async fn anywhere_is_both_families() {
    let files = tempfile::tempdir().unwrap();
    write_certificate(files.path());
    let config = Config { listen: Listen::Anywhere(0), ..config(of_files(files.path())) };
    let server = Server::bind(config).unwrap();
    assert!(server.address().ip().is_unspecified());
    TcpStream::connect((Ipv4Addr::LOCALHOST, server.address().port())).await.unwrap();
}
