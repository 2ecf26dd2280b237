//! A message that says what no client of ours can: its bytes are the test's.

use pf_proto::{Malformed, Message};

/// The payload of a message, as it goes onto the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(Vec<u8>);

impl Raw {
    /// The first message of a device that leaves a request under this name, which need not be text. The name takes up
    /// to 65,000 bytes, so that the length of the message can still be said.
    pub fn knock(name: &[u8]) -> Self {
        const VERSIONS: u32 = 1;
        const DEVICE_NAME: u32 = 2;
        const KNOCK: u32 = 5;
        const HELLO: u32 = 1;
        let versions = field(VERSIONS, &[1]);
        Self(field(HELLO, &[versions, field(DEVICE_NAME, name), field(KNOCK, &[])].concat()))
    }
}

impl Message for Raw {
    const MAX_BYTES: usize = u16::MAX as usize;

    fn encode(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        Ok(Self(payload.to_vec()))
    }
}

/// A protobuf field of bytes: its key, its length, and what is in it.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    const LENGTH_DELIMITED: u32 = 2;
    [varint(number << 3 | LENGTH_DELIMITED), varint(bytes.len() as u32), bytes.to_vec()].concat()
}

/// A number in protobuf: seven bits a byte, the lowest first, a set top bit on all but the last.
fn varint(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use pf_base::DeviceName;
    use pf_proto::pair::{ClientMessage, Hello, HelloPurpose};

    use super::*;

    #[test]
    fn a_knock_is_what_a_host_reads_as_one() {
        let hello = |name: &str| {
            let device_name = DeviceName::sanitise(name);
            ClientMessage::Hello(Hello { versions: vec![1], device_name, purpose: HelloPurpose::Knock })
        };
        let decoded = |name: &str| ClientMessage::decode(&Raw::knock(name.as_bytes()).encode());
        assert_eq!(decoded("couch").unwrap(), hello("couch"));
        let long = "x".repeat(300);
        assert_eq!(decoded(&long).unwrap(), hello(&long));
        assert_eq!(decoded("\u{1b}[31mred").unwrap(), hello("\u{1b}[31mred"));
        assert!(ClientMessage::decode(&Raw::knock(b"\xff").encode()).is_err(), "not text");
    }
}
