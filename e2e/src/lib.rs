//! The harness of the end-to-end tests: the programs as they are shipped, as processes, with sockets and stores of
//! their own.
//!
//! A test starts a [`Host`], makes a [`ClientInstall`] or several, runs their commands, and looks at exit codes, JSON
//! and what is left on the disk. Where the attack is not one that the client program would make, an [`Attacker`] speaks
//! the protocol by itself, step by step, and an [`Impostor`] answers in a host's place. A [`Relay`] gives any client
//! another address, and a network that loses, delays and holds back.
//!
//! ```no_run
//! use pf_e2e::{ClientInstall, Host};
//!
//! let host = Host::m3().start();
//! let couch = ClientInstall::new("couch");
//! couch.run(&["pair", &host.address(), "--pin", &host.pin()]).expect_success();
//! couch.run(&["connect", &host.address(), "--headless", "--frames", "5"]).expect_success();
//! ```
//!
//! What must hold for every test: nothing outlives it, also when it panics; nothing waits longer than
//! [`PATIENCE`]; no test waits for time to pass where it could wait for something to happen; no two tests share a
//! port or a directory.

#![forbid(unsafe_code)]
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test's harness panics wherever the test cannot go on, and says where"
)]

mod attacker;
mod browser;
mod client;
mod disk;
mod host;
mod impostor;
mod outcome;
mod process;
mod raw;
mod sway;
mod window_manager;
pub mod x_display;
pub mod x_program;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use attacker::{Attacker, Identities, Line, Offered, Shared, Visit};
pub use browser::{Browser, Events, Reply, Told};
pub use client::ClientInstall;
pub use disk::SmallDisk;
pub use host::{Console, Host, HostSetup};
pub use impostor::{Caught, Impostor, greeting};
pub use outcome::Outcome;
pub use pf_lab::{Bottleneck, Bursts, Lan, Machine, Network, Outages, Passed, Relay};
pub use process::{Running, program};
pub use raw::Raw;
pub use sway::Sway;
pub use window_manager::WindowManager;

/// The longest that anything here may take: far more than it does on an idle machine, for a busy one.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// What `look` comes to give, or a panic when it gives nothing for too long.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What `future` comes to, or a panic when it never does.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(PATIENCE, future).await else {
        panic!("in vain waited for: {what}")
    };
    value
}

/// A PIN of the same length that is not `pin`.
pub fn another_pin(pin: &str) -> String {
    let (rest, last) = pin.split_at(pin.len() - 1);
    format!("{rest}{}", (last.parse::<u32>().unwrap() + 1) % 10)
}
