//! Connecting: silently where the host is pinned, and otherwise up to what its person can choose.

use std::time::Instant;

use pf_base::{Code, Fingerprint};
use pf_media::picture::Size;
use pf_net::{ControlStream, Expect, Plane};
use pf_proto::session::{AdmittedAs, ClientMessage, HostMessage, SessionHello, SoundWish, StreamWishes};
use pf_store::{ClientStore, HostFacts};
use pf_trust::{
    proof::Comparison,
    route::{Answer, Known, Route},
};
use tokio::time::timeout;

use crate::{
    Client, Failure, Found, Heard, Live, Remote, Session, approach::PATIENCE, ask::not_pinned,
    client::keep_copy, clock,
};

/// What the client would like to see. `None` leaves it to the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// The size of the picture, where the host's source can be sized.
    pub size: Option<Size>,
    /// The most pictures a second.
    pub frames_per_second: Option<u32>,
    /// The most to receive, in bits a second.
    pub bits_per_second: Option<u32>,
    /// Whether the host's sound is wanted, and in frames of which length.
    pub sound: SoundWish,
}

impl From<Wishes> for StreamWishes {
    fn from(wishes: Wishes) -> Self {
        let size = wishes.size.unwrap_or(Size::new(0, 0));
        Self {
            width: size.width,
            height: size.height,
            frames_per_second: wishes.frames_per_second.unwrap_or(0),
            bits_per_second: wishes.bits_per_second.unwrap_or(0),
            sound: wishes.sound,
        }
    }
}

/// What came of connecting.
#[derive(Debug)]
pub enum Connected {
    /// The host let us in.
    Session(Box<Session>),
    /// The host is known, and does not know this client (any more): pairing by PIN or asking again repair that.
    Refused {
        /// Why, in the host's word.
        code: Code,
        /// The key that refused, which was the expected one.
        fingerprint: Fingerprint,
    },
    /// The host is not trusted yet; its person chooses. PIN pairing is always one of the ways.
    Choice {
        /// What the host said of itself.
        heard: Box<Heard>,
        /// Whether asking for access is offered.
        ask: bool,
        /// Whether trust on first use is offered, as the weaker way.
        first_use: bool,
    },
}

impl Client {
    /// Connects where that is decided already; says what can be chosen where it is not.
    pub async fn connect(&self, found: &Found, wishes: Wishes) -> Result<Connected, Failure> {
        if let Route::Connect { expect } = self.route(found, None)? {
            match self.open_known(found, expect, wishes).await {
                // Somebody else answers where nothing was pinned yet: a new host.
                Err(Failure::FingerprintChanged { .. }) if self.is_only_asked(found)? => {}
                Err(Failure::Refused { code, retry_after }) => {
                    let answer = Answer { fingerprint: expect, policy: None, refused: Some(code) };
                    return match self.route(found, Some(answer))? {
                        Route::Repair { .. } | Route::Choose { ask: true, .. } => {
                            Ok(Connected::Refused { code, fingerprint: expect })
                        }
                        _ => Err(Failure::Refused { code, retry_after }),
                    };
                }
                connected => return Ok(Connected::Session(Box::new(connected?))),
            }
        }
        let heard = self.look(found).await?;
        let answer = Answer { fingerprint: heard.fingerprint, policy: heard.policy, refused: None };
        match self.route(found, Some(answer))? {
            Route::Connect { expect } => {
                Ok(Connected::Session(Box::new(self.open_known(found, expect, wishes).await?)))
            }
            Route::Alarm { old, new } => Err(Failure::FingerprintChanged { old, new }),
            Route::Repair { .. } => Err(Failure::refused(Code::PairingRequired)),
            Route::PinOnly => Err(Failure::PinOnly),
            Route::Choose { ask, first_use } => {
                Ok(Connected::Choice { heard: Box::new(heard), ask, first_use })
            }
        }
    }

    /// The person's *yes* to a fingerprint that nothing vouches for: connects, and pins once the host lets us in.
    ///
    /// Refused unless [`connect`](Self::connect) offered it just now, for the same key.
    pub async fn trust_first_use(
        &self,
        found: &Found,
        heard: &Heard,
        wishes: Wishes,
    ) -> Result<Session, Failure> {
        let answer = Answer { fingerprint: heard.fingerprint, policy: heard.policy, refused: None };
        let Route::Choose { first_use: true, .. } = self.route(found, Some(answer))? else {
            return Err(Failure::TofuNotOffered);
        };
        let session = self.open_session(found, heard.fingerprint, wishes).await?;
        // Called what its person picked and saw: what it calls itself now could be the name of another.
        let facts = found.facts(None, Some(heard.address));
        let mut store = self.store();
        store.pin_first_use(heard.fingerprint, &facts, clock::now()).map_err(not_pinned)?;
        note_use(&mut store, &session, &facts)?;
        drop(store);
        Ok(session)
    }

    /// Connects to a host that is pinned or was asked.
    async fn open_known(
        &self,
        found: &Found,
        expect: Fingerprint,
        wishes: Wishes,
    ) -> Result<Session, Failure> {
        let session = self.open_session(found, expect, wishes).await?;
        let facts =
            found.facts(Some(&session.admitted().host_name), Some(session.connection.remote_address()));
        let mut store = self.store();
        if matches!(store.known(&facts, Some(expect))?, Known::Asked { .. }) {
            // Who is let in as a guest was not approved: the host lets anyone in, and nobody vouches for it.
            if session.admitted().admitted_as == AdmittedAs::Guest {
                session.connection.close(Code::Ended);
                return Err(Failure::refused(Code::PairingRequired));
            }
            store
                .pin_approved(expect, Comparison::NothingToCompare, &facts, clock::now())
                .map_err(not_pinned)?;
        }
        note_use(&mut store, &session, &facts)?;
        drop(store);
        Ok(session)
    }

    /// Dials one expected key, and waits for its `Admitted`: nothing earlier is success.
    async fn open_session(
        &self,
        found: &Found,
        expect: Fingerprint,
        wishes: Wishes,
    ) -> Result<Session, Failure> {
        let dialled = Instant::now();
        let connection = self.dial(found, Plane::Session, Expect::Exactly(expect)).await?;
        let mut control: ControlStream<ClientMessage, HostMessage> = connection.open_control().await?;
        let hello = SessionHello {
            versions: vec![pf_proto::VERSION],
            device_name: self.name.clone(),
            wishes: wishes.into(),
        };
        let greeting = async {
            control.send(&ClientMessage::Hello(hello)).await?;
            control.receive().await
        };
        let answer = match timeout(PATIENCE, greeting).await {
            Ok(Ok(received)) => received.message,
            // The reason for a refusal is the connection's, whatever the stream broke with.
            Ok(Err(error)) => {
                return Err(connection.close_reason().map_or_else(|| error.into(), Failure::from));
            }
            Err(_) => return Err(Failure::Lost(pf_net::Closed::TimedOut)),
        };
        let HostMessage::Admitted(admitted) = answer else { return Err(Failure::Protocol) };
        let (remote, sayings) = Remote::new();
        let admitted_after = dialled.elapsed();
        let live = Live::new(dialled, wishes.sound);
        Ok(Session { connection, control, admitted, dialled, admitted_after, remote, sayings, live })
    }

    fn is_only_asked(&self, found: &Found) -> Result<bool, Failure> {
        let known = self.store().known(&found.facts(None, None), None)?;
        Ok(matches!(known, Known::Asked { .. }))
    }
}

/// Notes that a pinned host let us in, and what it told of itself: only now is it known who said so.
fn note_use(store: &mut ClientStore, session: &Session, facts: &HostFacts) -> Result<(), Failure> {
    let fingerprint = session.connection.fingerprint();
    store.used(fingerprint, facts, clock::now())?;
    let hardware = &session.admitted().hardware_addresses;
    // A host that says nothing, as those of before do, takes nothing back.
    if !hardware.is_empty() {
        store.note_hardware(fingerprint, hardware)?;
    }
    keep_copy(store);
    Ok(())
}
