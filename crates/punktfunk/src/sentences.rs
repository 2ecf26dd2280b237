//! What a person reads of each failure: what happened, and what to do.

use pf_base::{Code, Fingerprint};
use pf_client::{DialError, Failure};

/// A failure in words.
pub(crate) struct Sentence {
    /// What happened.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: String,
}

/// The sentence for a failure with a host that the person calls `host`.
pub(crate) fn sentence(failure: &Failure, host: &str) -> Sentence {
    let (message, hint) = match failure {
        Failure::Refused { code, retry_after } => {
            let wait = retry_after.map(|wait| wait.as_millis().div_ceil(1000));
            return refused(*code, wait, host);
        }
        Failure::NoSuchHost(name) => (
            format!("No host is called {name}."),
            "`punktfunk discover` lists the hosts on this network; an address works, too.".to_owned(),
        ),
        Failure::Ambiguous(name) => (
            format!("Several hosts that this client knows are called {name}."),
            "Name the one you mean by its address or fingerprint, as `punktfunk hosts` shows them.".to_owned(),
        ),
        Failure::NotWakeable(name) => (
            format!("{name} never told this machine how it can be woken."),
            "Wake it by hand once, and connect to it while it is paired: it tells then, if its network card can be \
             woken and its program knows how to say so."
                .to_owned(),
        ),
        Failure::Unreachable(_) => (
            format!("{host} does not answer: {failure}."),
            "Check that the host is on, that its program runs, and that no firewall blocks its UDP port.".to_owned(),
        ),
        Failure::Lost(_) => (
            format!("The connection to {host} was lost."),
            "Check the network, and connect again.".to_owned(),
        ),
        Failure::FingerprintChanged { old, new } => return changed(*old, *new, host),
        Failure::WrongPin => (
            "The PIN was not right. It is spent now, and nothing was stored.".to_owned(),
            "Get a fresh PIN at the host, and try again. If you are sure that you typed it right, somebody else may \
             have answered in the host's place."
                .to_owned(),
        ),
        Failure::PinUsed => (
            "This PIN was offered from here before, and a PIN works once.".to_owned(),
            "Get a fresh PIN at the host.".to_owned(),
        ),
        Failure::PinLength { expected } => (
            format!("The host's PIN has {expected} digits. Nothing was sent."),
            "Read the PIN off the host again.".to_owned(),
        ),
        Failure::PinOnly => (
            format!("{host} was forgotten, and must be paired by PIN."),
            pair(host),
        ),
        Failure::FirstUseOffered => (
            format!("{host} is new here, and lets any device in as a guest."),
            format!(
                "The strong way: run `punktfunk-host ctl arm` at the host, then: punktfunk pair {host}\nThe weaker way, \
                 which would not notice an impostor: punktfunk connect {host} --trust-first-use"
            ),
        ),
        Failure::TofuNotOffered => (
            "Trust on first use is not offered here: only for a host that is discovered, new, and opened by its owner."
                .to_owned(),
            pair(host),
        ),
        Failure::OwnIdentity => (
            "The other side presents this machine's own identity.".to_owned(),
            "Give the host and the client data directories of their own.".to_owned(),
        ),
        Failure::Protocol => (
            format!("{host} broke the protocol."),
            "Check that it is a Punktfunk host of a version like this one's.".to_owned(),
        ),
        Failure::Dial(DialError::VersionMismatch) => return refused(Code::VersionMismatch, None, host),
        Failure::Dial(error) => (
            format!("No connection to {host} came about: {error}."),
            "Check that it is a Punktfunk host of a version like this one's, and try again.".to_owned(),
        ),
        Failure::Store(error) => (capitalised(&error.to_string()), error.hint()),
        Failure::Machine { .. } => (
            capitalised(&failure.to_string()),
            "Check this machine's memory, disk and limits.".to_owned(),
        ),
    };
    Sentence { message, hint }
}

fn refused(code: Code, wait: Option<u128>, host: &str) -> Sentence {
    let again = |what: &str| match wait {
        Some(seconds) => format!("{what} in {seconds} s."),
        None => format!("{what} in a moment."),
    };
    let (message, hint) = match code {
        Code::PairingRequired => (
            format!("{host} does not know this device. A request for access is left with its owner."),
            format!(
                "Two ways on:\n  by PIN: run `punktfunk-host ctl arm` at the host, then: punktfunk pair {host}\n  \
                 without: have the owner approve it (`punktfunk-host ctl requests`), then connect again; or wait \
                 with a check code to compare: punktfunk connect {host} --wait"
            ),
        ),
        Code::WrongPin => return sentence(&Failure::WrongPin, host),
        Code::NotArmed => (
            format!("{host} shows no PIN now."),
            "Run `punktfunk-host ctl arm` at the host, and type the PIN that it shows.".to_owned(),
        ),
        Code::ArmedForAnother => (
            format!("{host} shows a PIN, but for another device."),
            "Have the owner arm it for this device, or for any.".to_owned(),
        ),
        Code::RateLimited => (format!("{host} has had too many tries."), again("Try again")),
        Code::Denied => ("The owner said no.".to_owned(), "Talk to the owner; you may ask again.".to_owned()),
        Code::RequestExpired => (
            "Nobody answered the request in time, or a newer one of this device took its place.".to_owned(),
            format!("Ask again: punktfunk request {host}"),
        ),
        Code::Removed => (
            format!("The owner of {host} removed this device."),
            format!("Pair again by PIN: punktfunk pair {host}\nor ask for access: punktfunk request {host}"),
        ),
        Code::Busy => (format!("{host} cannot take one more now."), again("Try again")),
        Code::VersionMismatch => (
            format!("{host} speaks another version of the protocol."),
            "Bring both to the same version.".to_owned(),
        ),
        Code::StoreUnreadable => (
            format!("{host} could not store it: its disk is full, or its store is broken."),
            "Nothing was changed. The host's own messages say what to do.".to_owned(),
        ),
        Code::MediaUnavailable => (
            format!("{host} has no picture to show."),
            "The host's own messages say why; try another --source there.".to_owned(),
        ),
        Code::Ended => (format!("{host} ended the session."), "Connect again once it is back.".to_owned()),
        Code::Usage
        | Code::Unreachable
        | Code::FingerprintChanged
        | Code::TofuNotOffered
        | Code::ProtocolError => return sentence(&Failure::Protocol, host),
    };
    Sentence { message, hint }
}

/// A changed identity is an alarm, and never a question.
fn changed(old: Fingerprint, new: Fingerprint, host: &str) -> Sentence {
    Sentence {
        message: format!(
            "STOP: {host} is not the host that it was.\n  before  {old}  ({})\n  now     {new}  ({})\nIt was \
             installed anew, or another machine answers in its place.",
            old.for_the_eye(),
            new.for_the_eye()
        ),
        hint: format!(
            "Compare with what the host shows at its own screen. The only way on is to pair again by PIN: punktfunk \
             pair {host}"
        ),
    }
}

fn pair(host: &str) -> String {
    format!("Run `punktfunk-host ctl arm` at the host, then: punktfunk pair {host}")
}

/// An error's text as a sentence.
fn capitalised(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(['.']).collect())
}
