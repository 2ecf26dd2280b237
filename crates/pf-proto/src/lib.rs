//! Wire messages of the native protocol, their validation and size caps, and the media header.
