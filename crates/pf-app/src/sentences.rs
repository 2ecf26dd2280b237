//! What a person reads of each failure in the app: what happened, and what to do.
//!
//! The commands have sentences of their own, whose ways on are commands; here they are buttons and words.

use pf_base::Code;
use pf_client::{DialError, Failure};

/// A failure in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Sentence {
    /// A sentence of its two halves.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// How a person gets a PIN at a host.
pub(crate) const HOW_TO_GET_A_PIN: &str =
    "At the host, open its console and choose “Arm pairing”, or run punktfunk-host ctl arm.";

/// The sentence for a failure with a host that the person calls `host`.
pub fn sentence(failure: &Failure, host: &str) -> Sentence {
    let (message, hint) = match failure {
        Failure::Refused { code, retry_after } => {
            return refused(*code, retry_after.map(|wait| wait.as_millis().div_ceil(1000)), host);
        }
        Failure::NoSuchHost(name) => (
            format!("No host is called {name}."),
            "Check its name, or use the address that it shows.".to_owned(),
        ),
        Failure::Ambiguous(name) => (
            format!("Several hosts are called {name}."),
            "Pick the one you mean from the list.".to_owned(),
        ),
        Failure::NotWakeable(name) => (
            format!("{name} never told this machine how it can be woken."),
            "Wake it by hand once, and connect to it while it is paired: it tells then, if its network card can be \
             woken and its program knows how to say so."
                .to_owned(),
        ),
        Failure::Unreachable(_) => (
            format!("{host} does not answer."),
            "Check that it is on, that Punktfunk runs there, and that no firewall blocks its UDP port.".to_owned(),
        ),
        Failure::Lost(_) => (
            format!("The connection to {host} was lost."),
            "Check the network.".to_owned(),
        ),
        Failure::FingerprintChanged { .. } => (
            format!("{host} is not the host that it was."),
            "Pair with it again by PIN.".to_owned(),
        ),
        Failure::WrongPin => (
            "That PIN was not right. It is spent now, and nothing was stored.".to_owned(),
            format!(
                "Get a fresh one. {HOW_TO_GET_A_PIN} If you are sure that you typed it right, another machine may have \
                 answered in the host's place."
            ),
        ),
        Failure::PinUsed => (
            "This PIN was tried from here before, and a PIN works once.".to_owned(),
            format!("Get a fresh one. {HOW_TO_GET_A_PIN}"),
        ),
        Failure::PinLength { expected } => (
            format!("The host's PIN has {expected} digits."),
            "Nothing was sent. Read the PIN off the host again.".to_owned(),
        ),
        Failure::PinOnly => (
            format!("{host} was forgotten here."),
            "It must be paired with by PIN.".to_owned(),
        ),
        Failure::FirstUseOffered | Failure::TofuNotOffered => (
            "Trust on first use is not offered here any more.".to_owned(),
            "Pair by PIN, or ask its owner for access.".to_owned(),
        ),
        Failure::OwnIdentity => (
            "That is this machine itself: it answers with this app's own identity.".to_owned(),
            "Give the host and the app data directories of their own.".to_owned(),
        ),
        Failure::Protocol => (
            format!("{host} answered what cannot be understood."),
            "Check that it is a Punktfunk host of a version like this app's.".to_owned(),
        ),
        Failure::Dial(DialError::VersionMismatch) => return refused(Code::VersionMismatch, None, host),
        Failure::Dial(error) => (
            format!("No connection to {host} came about: {error}."),
            "Check that it is a Punktfunk host of a version like this app's, and try again.".to_owned(),
        ),
        Failure::Store(error) => (capitalised(&error.to_string()), capitalised(&error.hint())),
        Failure::Machine { .. } => (
            capitalised(&failure.to_string()),
            "Check this machine's memory, disk and limits, and try again.".to_owned(),
        ),
    };
    Sentence { message, hint }
}

fn refused(code: Code, wait: Option<u128>, host: &str) -> Sentence {
    let again = || match wait {
        Some(seconds) => format!("Try again in {seconds} s."),
        None => "Try again in a moment.".to_owned(),
    };
    let (message, hint) = match code {
        Code::PairingRequired => (
            format!("{host} does not know this device."),
            "Pair by PIN, or ask its owner for access.".to_owned(),
        ),
        Code::WrongPin => return sentence(&Failure::WrongPin, host),
        Code::NotArmed => (format!("{host} shows no PIN now."), HOW_TO_GET_A_PIN.to_owned()),
        Code::ArmedForAnother => (
            format!("{host} shows a PIN, but for another device."),
            "Have its owner show one for this device, or for any.".to_owned(),
        ),
        Code::RateLimited => (format!("{host} has had too many tries."), again()),
        Code::Denied => {
            (format!("The owner of {host} said no."), "Talk to the owner. You may ask again.".to_owned())
        }
        Code::RequestExpired => (
            "Nobody answered in time.".to_owned(),
            "A request waits for five minutes. Ask again when somebody is at the host's console.".to_owned(),
        ),
        Code::Removed => (
            format!("The owner of {host} removed this device."),
            "Pair again by PIN, or ask for access.".to_owned(),
        ),
        Code::Busy => (format!("{host} cannot take one more now."), again()),
        Code::VersionMismatch => (
            format!("{host} speaks another version of the protocol."),
            "Bring both to the same version.".to_owned(),
        ),
        Code::StoreUnreadable => (
            format!("{host} could not store it: its disk is full, or its store is broken."),
            "Nothing was changed. The host's own messages say what to do.".to_owned(),
        ),
        Code::MediaUnavailable => {
            (format!("{host} has no picture to show."), "The host's own messages say why.".to_owned())
        }
        Code::Ended => (format!("{host} ended the session."), "Connect again once it is back.".to_owned()),
        _ => return sentence(&Failure::Protocol, host),
    };
    Sentence { message, hint }
}

/// An error's text as a sentence.
fn capitalised(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(['.']).collect())
}
