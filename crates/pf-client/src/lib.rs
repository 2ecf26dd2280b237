//! The client core: discover, decide, pair, ask, connect, receive.
