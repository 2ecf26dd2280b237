//! The hardware addresses of this machine: by which a client may wake it.

use std::{fs, path::Path};

use pf_base::HardwareAddress;
use pf_proto::session::MAX_HARDWARE_ADDRESSES;

/// Those of this machine's real network interfaces, at most as many as a host tells; none where there is no telling.
///
/// Read anew for each session: a cable's adapter is plugged in while a host runs.
pub(crate) fn addresses() -> Vec<HardwareAddress> {
    addresses_in(Path::new("/sys/class/net"))
}

/// The same, of a directory like `/sys/class/net`: one entry for each interface.
///
/// A bridge, a tunnel or the loopback has no device behind it, and nothing that could wake a machine.
fn addresses_in(interfaces: &Path) -> Vec<HardwareAddress> {
    let Ok(entries) = fs::read_dir(interfaces) else { return Vec::new() };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    names.sort();
    let mut addresses = Vec::new();
    for interface in names.iter().filter(|interface| interface.join("device").exists()) {
        let is_ethernet = read(interface, "type").is_some_and(|kind| kind.trim() == ETHERNET);
        let address = read(interface, "address").and_then(|text| HardwareAddress::parse(text.trim()));
        addresses.extend(address.filter(|address| is_ethernet && !addresses.contains(address)));
    }
    addresses.truncate(MAX_HARDWARE_ADDRESSES);
    addresses
}

fn read(interface: &Path, name: &str) -> Option<String> {
    fs::read_to_string(interface.join(name)).ok()
}

/// `ARPHRD_ETHER`, which cables and radios both are.
const ETHERNET: &str = "1";

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn interface(interfaces: &TempDir, name: &str, kind: &str, address: &str, has_device: bool) {
        let directory = interfaces.path().join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("type"), format!("{kind}\n")).unwrap();
        fs::write(directory.join("address"), format!("{address}\n")).unwrap();
        if has_device {
            fs::create_dir(directory.join("device")).unwrap();
        }
    }

    /// A client keeps the address of a bridge or a tunnel, and wakes nothing by it.
    #[test]
    fn real_network_interfaces_are_told_and_no_others() {
        let interfaces = TempDir::new().unwrap();
        interface(&interfaces, "lo", "772", "00:00:00:00:00:00", false);
        interface(&interfaces, "docker0", "1", "02:42:ac:11:00:01", false);
        interface(&interfaces, "enp3s0", "1", "b8:27:eb:00:00:01", true);
        interface(&interfaces, "ib0", "32", "80:00:02:08:fe:80", true);
        interface(&interfaces, "wlan0", "1", "b8:27:eb:00:00:02", true);
        interface(&interfaces, "wlan1", "1", "b8:27:eb:00:00:02", true);
        interface(&interfaces, "wwan0", "1", "00:00:00:00:00:00", true);
        let shown = addresses_in(interfaces.path()).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown, ["b8:27:eb:00:00:01", "b8:27:eb:00:00:02"]);
    }

    /// A machine with many interfaces sends what its clients must refuse.
    #[test]
    fn no_more_are_told_than_a_message_holds() {
        let interfaces = TempDir::new().unwrap();
        for number in 0..9 {
            interface(&interfaces, &format!("eth{number}"), "1", &format!("b8:27:eb:00:00:0{number}"), true);
        }
        assert_eq!(addresses_in(interfaces.path()).len(), MAX_HARDWARE_ADDRESSES);
        assert_eq!(addresses_in(&interfaces.path().join("nowhere")), []);
    }
}
