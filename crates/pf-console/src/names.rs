//! Under which names the console answers.
//!
//! A page on the web can have its own name point to this machine (DNS rebinding), and then reads answers as its own. So a
//! request has to name the machine as the owner does: by address, by the machine's name, or by one that the owner gave.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The names and the port that a request may name.
#[derive(Clone, Debug)]
pub struct HostNames {
    names: Vec<String>,
    port: u16,
}

impl HostNames {
    /// The names of a machine that is called `machine`, with those that the owner gave besides.
    pub fn new(machine: &str, given: &[String], port: u16) -> Self {
        let machine = machine.to_ascii_lowercase();
        let short = machine.split('.').next().unwrap_or_default();
        let own = [machine.clone(), short.to_owned(), format!("{short}.local"), "localhost".to_owned()];
        let given = given.iter().map(|name| name.to_ascii_lowercase());
        let names =
            own.into_iter().chain(given).filter(|name| !name.is_empty() && name != ".local").collect();
        Self { names, port }
    }

    /// Whether a request that names this host is meant for this console. A mapped port names none at all.
    pub fn admit(&self, host: &str) -> bool {
        let Some((name, port)) = split(host) else { return false };
        let is_ours = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
            None => {
                name.parse::<Ipv4Addr>().is_ok()
                    || self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
            }
        };
        is_ours && port.is_none_or(|port| port == self.port)
    }
}

/// The name and the port of a `Host` header; `None` when it is neither.
fn split(host: &str) -> Option<(&str, Option<u16>)> {
    let after_literal = host.rfind(']').map_or(0, |end| end + 1);
    let Some(colon) = host[after_literal..].find(':') else { return Some((host, None)) };
    let (name, port) = host.split_at(after_literal + colon);
    let digits = &port[1..];
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok().map(|port| (name, Some(port)))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page on the web points its own name at this machine, and reads what the console answers.
    #[test]
    fn r8_only_the_owners_names_for_this_machine_are_answered() {
        let names = HostNames::new("Box.lan", &["tv.example".to_owned()], 9777);
        let table = [
            ("192.168.1.4:9777", true),
            ("192.168.1.4", true),
            ("[fd00::1]:9777", true),
            ("[fd00::1]", true),
            ("localhost:9777", true),
            ("box:9777", true),
            ("BOX.LOCAL:9777", true),
            ("box.lan:9777", true),
            ("tv.example:9777", true),
            ("TV.example", true),
            ("box.local:9778", false),
            ("192.168.1.4:443", false),
            ("192.168.1.4:", false),
            ("192.168.1.4:+9777", false),
            ("192.168.1.4:9777:9777", false),
            ("192.168.1.4:75313", false),
            ("evil.example:9777", false),
            ("box.local.evil.example:9777", false),
            ("evil.tv.example:9777", false),
            ("192.168.1.4.evil.example:9777", false),
            ("box.local.:9777", false),
            ("0x7f.1:9777", false),
            ("2130706433", false),
            ("[fd00::1", false),
            ("fd00::1", false),
            ("[box]:9777", false),
            ("[fd00::1]x:9777", false),
            ("a@192.168.1.4:9777", false),
            ("", false),
            (":9777", false),
        ];
        for (host, expected) in table {
            assert_eq!(names.admit(host), expected, "{host}");
        }
    }

    #[test]
    fn a_machine_without_a_name_has_no_empty_one() {
        let names = HostNames::new("", &[], 9777);
        assert!(!names.admit(""));
        assert!(!names.admit(".local:9777"));
        assert!(names.admit("localhost:9777"));
    }
}
