//! The address of a network interface on its own wire.

use std::fmt;

/// The hardware address (MAC) of one network interface: what a magic packet wakes a machine by.
///
/// Always that of one interface: never all zeros, and never one of many receivers at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HardwareAddress([u8; 6]);

impl HardwareAddress {
    /// The address of these bytes; `None` for all zeros, a multicast address and the broadcast address.
    pub fn new(bytes: [u8; 6]) -> Option<Self> {
        (bytes != [0; 6] && bytes[0] & GROUP == 0).then_some(Self(bytes))
    }

    /// The address in a text like `02:1b:9c:00:10:ff`, as Linux writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part =
                parts.next().filter(|part| part.len() == 2 && part.bytes().all(|c| c.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(bytes).and_then(Self::new)
    }

    /// Its bytes, in the order in which they go over the wire.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

impl fmt::Debug for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The bit of the first byte that makes an address one of many receivers (IEEE 802).
const GROUP: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_and_written_the_same() {
        let address = HardwareAddress::parse("02:1b:9C:00:10:ff").unwrap();
        assert_eq!(address.bytes(), [0x02, 0x1b, 0x9c, 0, 0x10, 0xff]);
        assert_eq!(address.to_string(), "02:1b:9c:00:10:ff");
        for text in [
            "",
            "02:1b:9c:00:10",
            "02:1b:9c:00:10:ff:",
            "2:1b:9c:00:10:ff",
            "+2:1b:9c:00:10:ff",
            "021b9c0010ff",
        ] {
            assert_eq!(HardwareAddress::parse(text), None, "{text}");
        }
    }

    /// A packet to all machines of a network is sent under the name of one.
    #[test]
    fn it_is_of_one_interface() {
        for text in ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "33:33:00:00:00:fb"] {
            assert_eq!(HardwareAddress::parse(text), None, "{text}");
        }
    }
}
