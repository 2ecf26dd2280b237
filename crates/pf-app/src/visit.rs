//! A visit to one host: from the click on it to its picture, and everything that may stand between.
//!
//! What is offered on the way is what [`pf_trust::route`] left open, as the client core reports it; nothing here makes
//! an offer of its own. A visit knows no network: it is told what came of what was [wished](crate::Wish), and each news
//! leads to one [`Stage`].

use std::time::Instant;

use pf_base::{CheckCode, Code, Fingerprint, PinDigits};
use pf_client::Failure;

use crate::{
    parts::PinText,
    reconnect::Reconnecting,
    sentences::{Sentence, sentence},
};

/// A visit to one host.
#[derive(Debug)]
pub struct Visit {
    /// What its person calls the host.
    pub host: String,
    /// The ways to trust it that are open, once there was a question.
    pub offer: Offer,
    /// Where the visit is.
    pub stage: Stage,
}

/// Where a visit is. Each is one page, but for [`Picture`](Stage::Picture).
#[derive(Debug)]
pub enum Stage {
    /// The host is being reached.
    Reaching,
    /// It must be trusted first: by its PIN, or by what else is offered.
    Pair(PairPage),
    /// The owner is being asked.
    Asking,
    /// The owner was asked, and has not answered. Both machines show this.
    Waiting(CheckCode),
    /// Trust on first use was chosen, and its fingerprint is there to be looked at.
    FirstUse(Fingerprint),
    /// Another machine answers in the host's place, or it was installed anew.
    Changed {
        /// The key that was pinned.
        old: Fingerprint,
        /// The key that answered.
        new: Fingerprint,
    },
    /// It is trusted, and the picture is on its way.
    Opening,
    /// It went no further.
    Notice(Notice),
    /// The host's picture fills the window.
    Picture,
    /// The picture stands still: the session was lost, and is being taken up again.
    Reconnecting(Reconnecting),
}

/// The ways to trust a host that are open besides its PIN, which always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Why there is a question at all.
    pub why: Why,
    /// Whether the owner can be asked.
    pub ask: bool,
    /// The key that could be trusted on first use, where that is offered.
    pub first_use: Option<Fingerprint>,
    /// How many digits the host's PIN has, where it said so.
    pub digits: Option<PinDigits>,
    /// Whether the host shows no PIN now, as far as it said.
    pub no_pin: bool,
}

/// Why a host is not just connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// Nothing was known of it.
    #[default]
    New,
    /// It does not know this device, or does not any more.
    Unknown,
    /// Its owner removed this device.
    Removed,
    /// Its owner said no.
    Denied,
    /// It was forgotten here.
    Forgotten,
    /// Its key is another one than before.
    Changed,
}

/// The page for the host's PIN.
#[derive(Debug, Default)]
pub struct PairPage {
    /// What was typed so far.
    pub pin: PinText,
    /// Whether the PIN is being tried.
    pub is_trying: bool,
    /// What came of the last try.
    pub problem: Option<Sentence>,
}

/// It went no further.
#[derive(Debug)]
pub struct Notice {
    /// What happened, and what to do.
    pub sentence: Sentence,
    /// What can be done about it here.
    pub way_on: WayOn,
}

/// What can be done about a visit that went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOn {
    /// The same again.
    Again,
    /// Ask the owner again, or pair by PIN.
    AskAgain,
}

/// What happened on a visit.
#[derive(Debug)]
pub enum VisitNews {
    /// The host is not trusted yet, and this is open.
    Choice {
        /// Whether asking is offered.
        ask: bool,
        /// The key that could be trusted on first use, where that is offered.
        first_use: Option<Fingerprint>,
        /// How many digits its PIN has; `None` while it shows none.
        pin: Option<PinDigits>,
    },
    /// The host is known, and refused this device on trust grounds: it can be paired with by PIN, or asked.
    Refused(Code),
    /// The host's PIN has so many digits; `None` while it shows none.
    PinOffer(Option<PinDigits>),
    /// The owner was asked; both machines show this.
    CheckCode(CheckCode),
    /// The host is trusted now, and is being connected to.
    Trusted,
    /// The first picture of a session is there.
    Picture,
    /// It failed: the last wish, or the session that was shown.
    Failed(Failure),
}

impl Visit {
    /// One that begins.
    pub fn new(host: String) -> Self {
        Self { host, offer: Offer::default(), stage: Stage::Reaching }
    }

    /// Something happened.
    pub fn hear(&mut self, news: VisitNews, now: Instant) {
        match news {
            VisitNews::Choice { ask, first_use, pin } => {
                self.offer = Offer { why: Why::New, ask, first_use, ..Offer::default() };
                self.note_pin(pin);
                self.stage = Stage::Pair(PairPage::default());
            }
            VisitNews::Refused(code) => {
                let why = match code {
                    Code::Removed => Why::Removed,
                    Code::Denied => Why::Denied,
                    _ => Why::Unknown,
                };
                self.offer = Offer { why, ask: true, ..Offer::default() };
                self.stage = Stage::Pair(PairPage::default());
            }
            VisitNews::PinOffer(pin) => self.note_pin(pin),
            VisitNews::CheckCode(code) => self.stage = Stage::Waiting(code),
            VisitNews::Trusted => {
                if !matches!(self.stage, Stage::Reconnecting(_)) {
                    self.stage = Stage::Opening;
                }
            }
            VisitNews::Picture => self.stage = Stage::Picture,
            VisitNews::Failed(failure) => self.failed(&failure, now),
        }
    }

    /// Goes on to pairing by PIN, from wherever it is offered.
    pub fn pair_by_pin(&mut self) {
        if let Stage::Changed { .. } = self.stage {
            self.offer = Offer { why: Why::Changed, ..Offer::default() };
        }
        self.stage = Stage::Pair(PairPage::default());
    }

    /// Whether the host's picture is what the window shows, with something over it or nothing.
    pub fn shows_picture(&self) -> bool {
        matches!(self.stage, Stage::Picture | Stage::Reconnecting(_))
    }

    fn note_pin(&mut self, digits: Option<PinDigits>) {
        self.offer.digits = digits.or(self.offer.digits);
        self.offer.no_pin = digits.is_none();
    }

    fn failed(&mut self, failure: &Failure, now: Instant) {
        match failure {
            Failure::FingerprintChanged { old, new } => {
                self.stage = Stage::Changed { old: *old, new: *new };
                return;
            }
            Failure::PinOnly => {
                self.offer = Offer { why: Why::Forgotten, ..Offer::default() };
                self.stage = Stage::Pair(PairPage::default());
                return;
            }
            Failure::PinLength { expected } => self.offer.digits = PinDigits::new(*expected),
            _ => {}
        }
        let sentence = sentence(failure, &self.host);
        match &mut self.stage {
            Stage::Pair(page) => {
                *page = PairPage { problem: Some(sentence), ..PairPage::default() };
            }
            Stage::Picture | Stage::Reconnecting(_) if is_drop(failure) => {
                let before = if let Stage::Reconnecting(before) = &self.stage { Some(before) } else { None };
                self.stage = Stage::Reconnecting(Reconnecting::after(before, sentence, now));
            }
            Stage::Asking | Stage::Waiting(_) => {
                self.stage = Stage::Notice(Notice { sentence, way_on: WayOn::AskAgain });
            }
            _ => self.stage = Stage::Notice(Notice { sentence, way_on: WayOn::Again }),
        }
    }
}

/// Whether a session that ended so is connected to again without a question: it was cut off, which nobody wanted; or the
/// host took its trust back, and says at the next connect what is open then.
fn is_drop(failure: &Failure) -> bool {
    match failure {
        Failure::Lost(_) | Failure::Unreachable(_) | Failure::Dial(_) => true,
        Failure::Refused { code, .. } => !matches!(
            code,
            Code::Ended
                | Code::VersionMismatch
                | Code::MediaUnavailable
                | Code::StoreUnreadable
                | Code::ProtocolError
        ),
        _ => false,
    }
}
