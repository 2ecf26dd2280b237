//! Links that open a host: `punktfunk://connect/HOST`.
//!
//! Whoever writes a page or a message writes its links, and a click is no consent to anything but looking. So a link names a
//! host as a person does by hand, and says nothing else: no way to trust, no PIN, no wish. It opens a host that is pinned
//! here already, and nothing that it does is more than what a click on that host in the app does.
//!
//! ```text
//! link = "punktfunk://connect/" host      ; the scheme in any case, the rest as it stands here
//! host = 1*( unreserved / sub-delims / ":" / "[" / "]" / pct-encoded )
//! ```
//!
//! The host is UTF-8 once it is decoded: a name of at most 64 bytes such as `punktfunk discover` shows, a fingerprint, an
//! address, or an address and a port. `unreserved`, `sub-delims` and `pct-encoded` are those of RFC 3986, appendix A.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use pf_base::{DeviceName, Fingerprint};

/// A link that is well-formed. What it names need not be known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    host: String,
}

/// Why a text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// It is a link to something else, or none.
    OtherScheme,
    /// What it asks for is not `connect`.
    OtherAction,
    /// It names no host.
    NoHost,
    /// Something follows the host: a path, a query or a fragment.
    Trailing(char),
    /// A character stands in it that must be encoded.
    Unencoded(char),
    /// What follows a `%` is not two hexadecimal digits, or all of it together is no UTF-8.
    Encoding,
    /// What it names is no name, no fingerprint and no address.
    NotAHost,
}

impl Link {
    /// The host, as a person would type it. Harmless before a person: no character of it is invisible or turns others.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let (scheme, rest) = text.split_once(':').ok_or(LinkError::OtherScheme)?;
        if !scheme.eq_ignore_ascii_case("punktfunk") {
            return Err(LinkError::OtherScheme);
        }
        let host = rest.strip_prefix("//connect/").ok_or(LinkError::OtherAction)?;
        let host = decoded(host)?;
        if host.is_empty() {
            return Err(LinkError::NoHost);
        }
        if is_host(&host) { Ok(Self { host }) } else { Err(LinkError::NotAHost) }
    }
}

/// What a host is written as, with what is encoded in it.
fn decoded(text: &str) -> Result<String, LinkError> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            '%' => {
                let mut digit =
                    || rest.next().and_then(|digit| digit.to_digit(16)).ok_or(LinkError::Encoding);
                let (high, low) = (digit()?, digit()?);
                bytes.push((high << 4 | low) as u8);
            }
            '/' | '?' | '#' => return Err(LinkError::Trailing(next)),
            next if next.is_ascii_alphanumeric() || PLAIN.contains(next) => bytes.push(next as u8),
            other => return Err(LinkError::Unencoded(other)),
        }
    }
    String::from_utf8(bytes).map_err(|_| LinkError::Encoding)
}

/// Whether a text can name a host, and is harmless before a person.
fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_address = text.parse::<SocketAddr>().is_ok() || bare.unwrap_or(text).parse::<IpAddr>().is_ok();
    // Any name of a host, and what a host is called in DNS, is as it is after cleaning.
    // A fingerprint may be grouped in any way, which could go on for ever.
    let is_fingerprint = text.len() <= MAX_BYTES && text.parse::<Fingerprint>().is_ok();
    is_address || is_fingerprint || DeviceName::sanitise(text).as_str() == text
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherScheme => write!(f, "it is no link of Punktfunk: one is {EXAMPLE}"),
            Self::OtherAction => write!(f, "a link can only connect: one is {EXAMPLE}"),
            Self::NoHost => write!(f, "it names no host: a link is {EXAMPLE}"),
            Self::Trailing(character) => {
                write!(f, "nothing may follow the host, and there is a {character:?}: a link is {EXAMPLE}")
            }
            Self::Unencoded(character) => write!(f, "{character:?} must be percent-encoded in a link"),
            Self::Encoding => write!(f, "what is percent-encoded in it is no text"),
            Self::NotAHost => write!(f, "what it names is no name, no fingerprint and no address"),
        }
    }
}

impl std::error::Error for LinkError {}

/// What stands for itself in a link, besides letters and digits. No `@`: in other links a name and a password are before it.
const PLAIN: &str = "-._~!$&'()*+,;=:[]";

/// The longest host: a fingerprint with something between all of its digits.
const MAX_BYTES: usize = 128;

const EXAMPLE: &str = "punktfunk://connect/HOST";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FINGERPRINT: &str =
        "3A:9F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D";

    fn host(link: &str) -> Result<String, LinkError> {
        link.parse().map(|link: Link| link.host().to_owned())
    }

    #[test]
    fn a_name_a_fingerprint_and_an_address_are_hosts() {
        for (written, named) in [
            ("desk", "desk"),
            ("desk.local", "desk.local"),
            ("desk.local:9777", "desk.local:9777"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:9777", "192.0.2.7:9777"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:9777", "[2001:db8::1]:9777"),
            ("%5B2001:db8::1%5D", "[2001:db8::1]"),
            ("Steam%20Deck", "Steam Deck"),
            ("B%C3%BCro%2f2", "Büro/2"),
            ("me%40home", "me@home"),
            ("50%25", "50%"),
            (FINGERPRINT, FINGERPRINT),
            (&FINGERPRINT.replace(':', "").to_lowercase(), &FINGERPRINT.replace(':', "").to_lowercase()),
        ] {
            assert_eq!(host(&format!("punktfunk://connect/{written}")), Ok(named.to_owned()), "{written}");
        }
        assert_eq!(host("PunktFunk://connect/desk"), Ok("desk".to_owned()), "schemes have no case");
    }

    /// Each of these means something in the links of others, or would if a later version were careless.
    #[test]
    fn nothing_else_is_a_link() {
        use LinkError as E;
        for (text, error) in [
            ("", E::OtherScheme),
            ("desk", E::OtherScheme),
            ("https://connect/desk", E::OtherScheme),
            (" punktfunk://connect/desk", E::OtherScheme),
            ("punktfunk", E::OtherScheme),
            ("punktfunk:", E::OtherAction),
            ("punktfunk:desk", E::OtherAction),
            ("punktfunk://", E::OtherAction),
            ("punktfunk://desk", E::OtherAction),
            ("punktfunk://connect", E::OtherAction),
            ("punktfunk:/connect/desk", E::OtherAction),
            ("punktfunk:connect/desk", E::OtherAction),
            ("punktfunk:///connect/desk", E::OtherAction),
            ("punktfunk://CONNECT/desk", E::OtherAction),
            ("punktfunk://pair/desk", E::OtherAction),
            ("punktfunk://trust/desk", E::OtherAction),
            ("punktfunk://me@connect/desk", E::OtherAction),
            ("punktfunk://me:0417@connect/desk", E::OtherAction),
            ("punktfunk://connect:9777/desk", E::OtherAction),
            ("punktfunk://connect/", E::NoHost),
            ("punktfunk://connect//desk", E::Trailing('/')),
            ("punktfunk://connect/desk/", E::Trailing('/')),
            ("punktfunk://connect/desk/pair", E::Trailing('/')),
            ("punktfunk://connect/desk?pin=0417", E::Trailing('?')),
            ("punktfunk://connect/desk?", E::Trailing('?')),
            ("punktfunk://connect/desk#trust", E::Trailing('#')),
            ("punktfunk://connect/me@desk", E::Unencoded('@')),
            ("punktfunk://connect/desk ", E::Unencoded(' ')),
            ("punktfunk://connect/desk\n", E::Unencoded('\n')),
            ("punktfunk://connect/Büro", E::Unencoded('ü')),
            ("punktfunk://connect/desk\\x", E::Unencoded('\\')),
            ("punktfunk://connect/%", E::Encoding),
            ("punktfunk://connect/%4", E::Encoding),
            ("punktfunk://connect/%4g", E::Encoding),
            ("punktfunk://connect/%+1", E::Encoding),
            ("punktfunk://connect/%ff", E::Encoding),
            ("punktfunk://connect/%c3", E::Encoding),
            ("punktfunk://connect/%00", E::NotAHost),
            ("punktfunk://connect/desk%0a", E::NotAHost),
            ("punktfunk://connect/%1b%5B2Jdesk", E::NotAHost),
            ("punktfunk://connect/%20desk", E::NotAHost),
            ("punktfunk://connect/de%E2%80%AEsk", E::NotAHost),
            ("punktfunk://connect/de%E2%80%8Bsk", E::NotAHost),
        ] {
            assert_eq!(host(text), Err(error), "{text:?}");
        }
        assert_eq!(host(&format!("punktfunk://connect/{}", "a".repeat(64))), Ok("a".repeat(64)));
        assert_eq!(host(&format!("punktfunk://connect/{}", "a".repeat(65))), Err(E::NotAHost));
    }

    fn encoded(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String, host: String) {
            let _ = text.parse::<Link>();
            let _ = format!("punktfunk://connect/{host}").parse::<Link>();
        }

        /// Whatever a link names is safe in a terminal and a window.
        #[test]
        fn what_is_named_is_harmless(bytes: Vec<u8>) {
            if let Ok(link) = format!("punktfunk://connect/{}", encoded(&bytes)).parse::<Link>() {
                let host = link.host();
                prop_assert!(host.chars().all(|c| !c.is_control()), "{host:?}");
                prop_assert!(host.len() <= MAX_BYTES, "{host:?}");
            }
        }

        #[test]
        fn every_name_of_a_host_can_be_linked_to(name: String) {
            let name = DeviceName::sanitise(&name);
            let link = format!("punktfunk://connect/{}", encoded(name.as_str().as_bytes()));
            prop_assert_eq!(host(&link), Ok(name.to_string()));
        }
    }
}
