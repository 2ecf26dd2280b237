//! The programs as they are shipped, and who would get in without being let in.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, and says where")]

mod changed_identity;
mod codes;
mod console;
mod crashes;
mod ctl;
mod damage;
mod full_disk;
mod known_hosts;
mod middle;
mod pairing;
mod races;
mod removal;
mod requests;
mod secrets;
mod sessions;
mod smoke;
mod tls;
mod trust_on_first_use;
