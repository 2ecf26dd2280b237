//! A local network: machines on one switch.

use std::{
    io,
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::Namespace;

/// Machines that reach each other and nothing else.
#[derive(Debug)]
pub struct Lan {
    switch: Namespace,
    ports: AtomicU32,
}

/// One machine of a [`Lan`].
#[derive(Debug)]
pub struct Machine {
    namespace: Namespace,
    address: Ipv4Addr,
}

impl Lan {
    /// A switch without machines.
    ///
    /// # Panics
    /// When this is not root, or the kernel has no network namespaces.
    pub fn new() -> Self {
        let switch = must(Namespace::new("switch"));
        must(switch.ip("link add br0 type bridge mcast_snooping 0"));
        must(switch.ip("link set br0 up"));
        Self { switch, ports: AtomicU32::new(0) }
    }

    /// Connects a machine at 10.77.0.`last`.
    ///
    /// # Panics
    /// When there is one already.
    pub fn machine(&self, last: u8) -> Machine {
        let namespace = must(Namespace::new("machine"));
        let (port, name) = (format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed)), namespace.name());
        must(self.switch.ip(&format!("link add {port} type veth peer name {INTERFACE} netns {name}")));
        must(self.switch.ip(&format!("link set {port} master br0 up")));
        let address = address(last);
        must(namespace.ip(&format!("addr add {address}/24 dev {INTERFACE}")));
        must(namespace.ip(&format!("link set {INTERFACE} up")));
        must(namespace.ip(MULTICAST_ROUTE));
        Machine { namespace, address }
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// Where it is.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Replaces its address by 10.77.0.`last`, as a lease that was given to another does.
    ///
    /// # Panics
    /// When another machine has it.
    pub fn move_to(&mut self, last: u8) {
        let (old, new) = (self.address, address(last));
        must(self.namespace.ip(&format!("addr del {old}/24 dev {INTERFACE}")));
        must(self.namespace.ip(&format!("addr add {new}/24 dev {INTERFACE}")));
        // The kernel has dropped it together with the last address.
        must(self.namespace.ip(MULTICAST_ROUTE));
        self.address = new;
    }

    /// Runs `body` in this machine, on a thread of its own.
    ///
    /// # Panics
    /// When `body` does, or the namespace cannot be entered.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(body)
    }
}

fn must<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

/// The one interface of a machine.
const INTERFACE: &str = "lan0";

/// By which what mDNS sends goes out of the one interface.
const MULTICAST_ROUTE: &str = "route add 224.0.0.0/4 dev lan0";
