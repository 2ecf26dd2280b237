//! A browser at a host's console: HTTPS with the certificate that the host showed at start, one cookie, and live events.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{self, HeaderMap},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::TlsConnector;

use crate::{Host, soon};

/// A browser that is at one console. Its methods must be called inside of a tokio runtime of several threads, for tests
/// also wait for processes.
#[derive(Clone, Debug)]
pub struct Browser {
    address: SocketAddr,
    certificate: String,
    cookie: Option<String>,
}

/// What the console answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// What happens, as the console tells it.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    unread: String,
    connection: JoinHandle<()>,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Which kind.
    pub event: String,
    /// Its number, where it has one.
    pub id: Option<u64>,
    /// What it says.
    pub data: Value,
}

impl Browser {
    /// One that has never been there, and believes the certificate that the host showed to whoever started it.
    pub fn at(host: &Host) -> Self {
        let certificate = host.console().certificate;
        Self { address: host.socket_address(), certificate, cookie: None }
    }

    /// The same browser at a host that was started again.
    #[must_use]
    pub fn now_at(mut self, host: &Host) -> Self {
        self.address = host.socket_address();
        self
    }

    /// Without its cookie.
    #[must_use]
    pub fn signed_out(mut self) -> Self {
        self.cookie = None;
        self
    }

    /// Signs in with the password, which must go well.
    pub async fn signed_in(host: &Host, password: &str) -> Self {
        let mut browser = Self::at(host);
        browser.sign_in(&serde_json::json!({ "password": password })).await.expect(200);
        browser
    }

    /// Signs in with a password or a link, and keeps the cookie that it gets.
    pub async fn sign_in(&mut self, credential: &Value) -> Reply {
        let reply = self.post("/sign-in", credential).await;
        let cookie = reply.headers.get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        if let Some(cookie) = cookie {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        reply
    }

    /// Reads something below `/api/v1`.
    pub async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, None).await
    }

    /// Changes something below `/api/v1`.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Ends something below `/api/v1`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.ask(Method::DELETE, path, None).await
    }

    /// Asks for something below `/api/v1`.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let mut request = self.request(method, &format!("/api/v1{path}"));
        let body = body.map(ToString::to_string);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.send(request.body(Full::from(body.unwrap_or_default())).unwrap()).await
    }

    /// Reads a file of the page.
    pub async fn page(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path).body(Full::default()).unwrap()).await
    }

    /// Listens to what happens, from after a line of the audit log where there is one.
    pub async fn events(&self, after: Option<u64>) -> Events {
        let mut request = self.request(Method::GET, "/api/v1/events");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let (body, connection) = self.exchange(request.body(Full::default()).unwrap()).await;
        assert_eq!(body.status(), 200);
        Events { body: body.into_body(), unread: String::new(), connection }
    }

    fn request(&self, method: Method, target: &str) -> hyper::http::request::Builder {
        let mut request = Request::builder().uri(target).header(header::HOST, self.address.to_string());
        if !matches!(method, Method::GET | Method::HEAD) {
            request = request
                .header(header::ORIGIN, format!("https://{}", self.address))
                .header("sec-fetch-site", "same-origin");
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request.method(method)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let (response, _connection) = self.exchange(request).await;
        let (head, body) = response.into_parts();
        let body = soon("the body", body.collect()).await.unwrap().to_bytes();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// One request on a connection of its own.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> (hyper::Response<Incoming>, JoinHandle<()>) {
        soon("an answer of the console", async {
            let tcp = TcpStream::connect(self.address).await.unwrap();
            let connector = TlsConnector::from(Arc::new(self.tls()));
            let tls = connector.connect(ServerName::from(self.address.ip()), tcp).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await.unwrap();
            let connection = tokio::spawn(async {
                // How it ends, the answer says.
                let _ = connection.await;
            });
            (sender.send_request(request).await.unwrap(), connection)
        })
        .await
    }

    fn tls(&self) -> ClientConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pin = Pin { certificate: self.certificate.clone(), provider: Arc::clone(&provider) };
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(pin))
            .with_no_client_auth()
    }
}

impl Reply {
    /// The JSON of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:#?}");
        if self.body.is_empty() { Value::Null } else { serde_json::from_str(&self.body).unwrap() }
    }

    /// A refusal: every one says what happened and what to do.
    #[track_caller]
    pub fn expect_refusal(&self, status: u16, code: &str) {
        let refusal = self.expect(status);
        assert_eq!(refusal["code"], code, "{self:#?}");
        for key in ["message", "hint"] {
            assert!(refusal[key].as_str().is_some_and(|text| !text.is_empty()), "no {key}: {self:#?}");
        }
    }
}

impl Events {
    /// The next event; none when the stream has ended.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let block: String = self.unread.drain(..end + 2).collect();
                match told(&block) {
                    Some(told) => return Some(told),
                    None => continue,
                }
            }
            let frame = soon("an event", self.body.frame()).await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.unread.push_str(&String::from_utf8_lossy(&data));
            }
        }
    }

    /// The next event of this kind; none when the stream has ended.
    pub async fn next_of(&mut self, kind: &str) -> Option<Told> {
        // The console says all the time that it is alive: that is no reason to go on waiting.
        soon("an event of this kind", async {
            loop {
                let told = self.next().await?;
                if told.event == kind {
                    return Some(told);
                }
            }
        })
        .await
    }

    /// Waits for the end of the stream.
    pub async fn end(&mut self) {
        soon("the end of the events", async { while self.next().await.is_some() {} }).await;
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// What a block of lines tells; none where it is a setting or a comment.
fn told(block: &str) -> Option<Told> {
    let value = |name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_start)
    };
    Some(Told {
        event: value("event")?.to_owned(),
        id: value("id").map(|id| id.parse().unwrap()),
        data: serde_json::from_str(value("data")?).unwrap(),
    })
}

/// Believes one certificate, whatever it says and whoever signed it.
#[derive(Debug)]
struct Pin {
    certificate: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found: Vec<_> = Sha256::digest(end_entity).iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(
            found.join(":"),
            self.certificate,
            "the certificate that the host shows is the one that it has"
        );
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
