//! What survives a restart: identity files, and the trust stores of host and client.
