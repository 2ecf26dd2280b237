//! The one function by which a client decides what to do about a host: connect, pair, ask, or stop.
//!
//! Four things go in: what the client's store [knows](Known) of the host, how the person [named](Named) it, what its
//! [adverts](Advert) claim, and what it [answered](Answer) in a finished handshake. They do not weigh the same. The
//! store is trusted. An answer is proved to come from the key that it names, and from no more. An advert is a claim by
//! anyone on the network: it can take an offer away and never make one that the rest does not allow.
//!
//! A client asks before it connects, with no answer yet, and again after each handshake, with the answer; what it
//! offers to its person is always the last [`Route`]. Nothing here writes to the store.
//!
//! | known | answer | route |
//! | --- | --- | --- |
//! | pinned | none, or the pinned key | connect |
//! | pinned | the pinned key, which refuses on trust grounds | repair: PIN, or ask |
//! | pinned, or forgotten with its key | another key | alarm: PIN only |
//! | forgotten | any | PIN only |
//! | asked | none, or the asked key | connect |
//! | asked | another key, or refused on trust grounds | PIN, or ask |
//! | seen to require pairing | any | PIN, or ask |
//! | never, discovered, `pair=optional` | none, or one that does not ask for pairing | PIN, or trust on first use |
//! | never, otherwise | any | PIN, or ask |
//!
//! An asked host is one that nothing was stored of but the key that answered. That another key answers now breaks no
//! pin, so it is a new host again and no alarm; but one of the two answers may have been an impostor's, so trust on
//! first use is off. Asking it again shows a check code, which an impostor in the middle cannot make agree.

use pf_base::{Code, Fingerprint, PairPolicy};

use crate::proof::Comparison;

/// What the client's store knows of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Never,
    /// This key was asked for access, and nothing more is known of it.
    Asked {
        /// The key that answered.
        fingerprint: Fingerprint,
    },
    /// The host itself, in a handshake, once required pairing. No advert leads here.
    SeenRequired,
    /// It is pinned.
    Pinned {
        /// The pinned key.
        fingerprint: Fingerprint,
        /// How it came to be pinned: for the person to see, no decision depends on it.
        how: PinnedBy,
    },
    /// It was pinned once, and the person forgot it.
    Forgotten {
        /// The key that was pinned, where it is still known.
        fingerprint: Option<Fingerprint>,
    },
}

/// How a host's key came to be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinnedBy {
    /// By the PIN ceremony.
    Pin,
    /// By the owner's approval, and whether the person here confirmed the check code.
    Approval(Comparison),
    /// By trust on first use: nothing was checked.
    FirstUse,
}

/// How the person named the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It was picked from the discovered ones.
    Discovered,
    /// Its address was typed, or came from a command line or a link.
    ByHand,
}

/// What the adverts for a host claim of its policy, in the order of strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advert {
    /// All of them say that pairing is optional.
    Optional,
    /// There is none, or one without a policy, or with one that is not known.
    Unknown,
    /// At least one says that pairing is required.
    Required,
}

/// What a host said in a finished handshake: its key is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The key that it proved to hold.
    pub fingerprint: Fingerprint,
    /// The policy that it stated, where it did.
    pub policy: Option<PairPolicy>,
    /// How it refused, where it did.
    pub refused: Option<Code>,
}

/// What a client does about a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a route that is not followed leaves the decision to chance"]
pub enum Route {
    /// Connect without a question, to this key and no other.
    Connect {
        /// The only key that may answer.
        expect: Fingerprint,
    },
    /// Stop and show both keys. The only way on is PIN pairing; the old pin stays until that has succeeded.
    Alarm {
        /// The key that was pinned.
        old: Fingerprint,
        /// The key that answered.
        new: Fingerprint,
    },
    /// The pinned host does not know this client any more: pair again by PIN, or ask, with this key and no other.
    Repair {
        /// The only key that may answer.
        expect: Fingerprint,
    },
    /// Pair by PIN, or take the other offer where there is one.
    Choose {
        /// Whether asking for access is offered.
        ask: bool,
        /// Whether trust on first use is offered, marked as the weaker choice.
        ///
        /// It is taken only after a handshake: when a route made with its [`Answer`] still offers it, and the person
        /// has seen that answer's fingerprint.
        first_use: bool,
    },
    /// Pair by PIN: nothing else is offered.
    PinOnly,
}

/// Decides what a client does about a host, by rule R3.
pub fn route(known: Known, named: Named, advert: Advert, answer: Option<Answer>) -> Route {
    match known {
        Known::Pinned { fingerprint: pinned, .. } => match answer {
            Some(answer) if answer.fingerprint != pinned => {
                Route::Alarm { old: pinned, new: answer.fingerprint }
            }
            Some(answer) if answer.refuses_trust() => Route::Repair { expect: pinned },
            _ => Route::Connect { expect: pinned },
        },
        Known::Forgotten { fingerprint } => match (fingerprint, answer) {
            (Some(old), Some(answer)) if answer.fingerprint != old => {
                Route::Alarm { old, new: answer.fingerprint }
            }
            _ => Route::PinOnly,
        },
        Known::Asked { fingerprint: asked } => match answer {
            Some(answer) if answer.fingerprint != asked || answer.refuses_trust() => PIN_OR_ASK,
            _ => Route::Connect { expect: asked },
        },
        Known::SeenRequired => PIN_OR_ASK,
        Known::Never => {
            let required = answer
                .is_some_and(|answer| answer.policy == Some(PairPolicy::Required) || answer.refuses_trust());
            if named == Named::Discovered && advert == Advert::Optional && !required {
                PIN_OR_FIRST_USE
            } else {
                PIN_OR_ASK
            }
        }
    }
}

impl Advert {
    /// What several adverts for one name or id come to: the strictest of their `pair` keys. No advert is unknown.
    pub fn of_all<'a>(pair_keys: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let one = |key: Option<&str>| match key.map(str::parse) {
            Some(Ok(PairPolicy::Required)) => Self::Required,
            Some(Ok(PairPolicy::Optional)) => Self::Optional,
            Some(Err(_)) | None => Self::Unknown,
        };
        pair_keys.into_iter().map(one).max().unwrap_or(Self::Unknown)
    }
}

impl Answer {
    /// Whether the host turned this client away because of who it is.
    fn refuses_trust(self) -> bool {
        self.refused.is_some_and(|code| matches!(code, Code::PairingRequired | Code::Removed | Code::Denied))
    }
}

const PIN_OR_ASK: Route = Route::Choose { ask: true, first_use: false };
const PIN_OR_FIRST_USE: Route = Route::Choose { ask: false, first_use: true };
