//! pA and pB on the wire: one encoding, and nothing else is a share.

use p256::{AffinePoint, FieldBytes, ProjectivePoint, elliptic_curve::point::AffineCoordinates};

/// The length of a share: the tag 0x04 and both coordinates.
pub const SHARE_BYTES: usize = 65;

const COORDINATE: usize = 32;
const UNCOMPRESSED: u8 = 0x04;

/// pA or pB: a point of the curve other than the neutral element, in SEC 1's uncompressed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    bytes: [u8; SHARE_BYTES],
    point: AffinePoint,
}

impl Share {
    /// Reads a peer's share: 65 bytes, tag 0x04, both coordinates below p and on the curve (RFC 9382, §7).
    ///
    /// The neutral element has no such form. The curve's order is prime, so there is no small subgroup to check for.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidShare> {
        let bytes: [u8; SHARE_BYTES] = bytes.try_into().map_err(|_| InvalidShare::Length(bytes.len()))?;
        if bytes[0] != UNCOMPRESSED {
            return Err(InvalidShare::Tag(bytes[0]));
        }
        let (x, y) = bytes[1..].split_at(COORDINATE);
        let [x, y] = [x, y].map(|coordinate| FieldBytes::try_from(coordinate).unwrap_or_default());
        let point = AffinePoint::from_coordinates(&x, &y).into_option().ok_or(InvalidShare::NotAPoint)?;
        Ok(Self { bytes, point })
    }

    /// The form in which it is sent.
    pub fn as_bytes(&self) -> &[u8; SHARE_BYTES] {
        &self.bytes
    }

    /// The share of a point that is not the neutral element.
    pub(super) fn of(point: &ProjectivePoint) -> Self {
        let point = point.to_affine();
        let mut bytes = [UNCOMPRESSED; SHARE_BYTES];
        bytes[1..=COORDINATE].copy_from_slice(&point.x());
        bytes[1 + COORDINATE..].copy_from_slice(&point.y());
        Self { bytes, point }
    }

    pub(super) fn point(&self) -> ProjectivePoint {
        self.point.into()
    }
}

/// Why bytes are not a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShare {
    /// So many bytes, not 65.
    #[error("a share of {0} bytes")]
    Length(usize),
    /// Another form of SEC 1 than the uncompressed one, or none.
    #[error("a share with the tag {0:#04x}")]
    Tag(u8),
    /// A coordinate is not below p, or the two are not on the curve.
    #[error("a share that is no point of the curve")]
    NotAPoint,
}
