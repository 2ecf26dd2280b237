//! How often a password may be tried, from one address and in total.
//!
//! Pure: the time is handed in. A try counts **before** the password is looked at, and is given back when it was right:
//! however many guesses are under way side by side, they get no more tries than the same guesses one after another.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use pf_base::Timestamp;

use crate::network::Network;

/// Who tried a password how often.
///
/// A caller asks [`begin`](Self::begin) before it looks at a password, and tells [`right`](Self::right) when it was.
/// Whatever else becomes of the try, it stays counted as a wrong one.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    networks: HashMap<Network, Tries>,
    /// When tries began that count in total, oldest first: those of the last [`TOTAL_WINDOW`].
    total: VecDeque<Timestamp>,
    /// When wrong links were noted, oldest first: those of the last [`TOTAL_WINDOW`].
    wrong_links: VecDeque<Timestamp>,
}

/// The tries from one network that were not right.
#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u32,
    last: Timestamp,
}

/// Leave to look at one password.
#[derive(Debug)]
#[must_use = "the password may be looked at now"]
pub(crate) struct Try {
    network: Network,
    at: Timestamp,
}

/// How long nobody, or nobody from that address, can try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl Limits {
    /// Counts a try, where one may be made now.
    pub(crate) fn begin(&mut self, from: IpAddr, now: Timestamp) -> Result<Try, Wait> {
        let network = Network::of(from);
        let until = self.address_opens(network, now).max(self.total_opens(now));
        if until > now {
            return Err(Wait(until.since(now)));
        }
        self.make_room(network, now);
        let tries = self.networks.entry(network).or_insert(Tries { count: 0, last: now });
        *tries = Tries { count: tries.count.saturating_add(1), last: now };
        self.total.push_back(now);
        Ok(Try { network, at: now })
    }

    /// Gives a try back: the password was right.
    pub(crate) fn right(&mut self, granted: &Try) {
        self.networks.remove(&granted.network);
        if let Some(place) = self.total.iter().rposition(|at| *at == granted.at) {
            self.total.remove(place);
        }
    }

    /// Whether one more wrong link is worth a line of the audit log. They can be sent without end.
    pub(crate) fn note_wrong_link(&mut self, now: Timestamp) -> bool {
        forget_before(&mut self.wrong_links, now);
        if self.wrong_links.len() >= TOTAL_FREE {
            return false;
        }
        self.wrong_links.push_back(now);
        true
    }

    /// When a network may try next.
    fn address_opens(&self, network: Network, now: Timestamp) -> Timestamp {
        match self.networks.get(&network) {
            Some(tries) if tries.count >= ADDRESS_FREE => tries.last + wait_after(tries.count),
            _ => now,
        }
    }

    /// When anybody may try next.
    fn total_opens(&mut self, now: Timestamp) -> Timestamp {
        forget_before(&mut self.total, now);
        match self.total.back() {
            Some(last) if self.total.len() >= TOTAL_FREE => *last + TOTAL_PACE,
            _ => now,
        }
    }

    /// Keeps the table small: what is long past goes, then whoever tried least recently. The limit in total holds
    /// against those who come from everywhere.
    fn make_room(&mut self, network: Network, now: Timestamp) {
        if self.networks.len() < MAX_NETWORKS || self.networks.contains_key(&network) {
            return;
        }
        self.networks.retain(|_, tries| now.since(tries.last) < REMEMBERED);
        if self.networks.len() >= MAX_NETWORKS {
            let oldest =
                self.networks.iter().min_by_key(|(_, tries)| tries.last).map(|(network, _)| *network);
            oldest.map(|network| self.networks.remove(&network));
        }
    }
}

/// The wait after so many wrong tries from one network.
fn wait_after(count: u32) -> Duration {
    let doublings = count.saturating_sub(ADDRESS_FREE).min(16);
    (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT)
}

fn forget_before(times: &mut VecDeque<Timestamp>, now: Timestamp) {
    while times.front().is_some_and(|at| now.since(*at) >= TOTAL_WINDOW) {
        times.pop_front();
    }
}

/// Wrong tries from one network before it has to wait: a person who mistypes does not notice.
const ADDRESS_FREE: u32 = 5;
/// The first wait of a network. It doubles with each wrong try.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait of a network: an owner who comes back from a break can try.
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// Wrong tries from everywhere within [`TOTAL_WINDOW`] before everybody has to wait.
const TOTAL_FREE: usize = 30;
/// See [`TOTAL_FREE`].
const TOTAL_WINDOW: Duration = Duration::from_mins(10);
/// How far apart tries are from then on: some 2 900 a day, of a password with 80 bits.
const TOTAL_PACE: Duration = Duration::from_secs(30);
/// How many networks are remembered; some 50 KiB.
const MAX_NETWORKS: usize = 1024;
/// For how long a network's wrong tries are remembered at least.
const REMEMBERED: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn address(last: u8) -> IpAddr {
        [192, 168, 1, last].into()
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// A guesser on the network tries on and on from one machine.
    #[test]
    fn r8_an_address_waits_longer_with_each_wrong_try() {
        let mut limits = Limits::default();
        for _ in 0..5 {
            let _ = limits.begin(address(7), NOW).unwrap();
        }
        let mut now = NOW;
        for wait in [10, 20, 40, 80, 160, 320, 640, 900, 900] {
            assert_eq!(limits.begin(address(7), now).unwrap_err(), Wait(seconds(wait)));
            now = now + seconds(wait) - Duration::from_millis(1);
            assert_eq!(limits.begin(address(7), now).unwrap_err(), Wait(Duration::from_millis(1)));
            now = now + Duration::from_millis(1);
            let _ = limits.begin(address(7), now).unwrap();
        }
    }

    /// A guesser locks the owner out by guessing from another machine.
    #[test]
    fn another_address_is_not_affected_until_the_total_is() {
        let mut limits = Limits::default();
        for last in 1..=6 {
            for _ in 0..5 {
                let _ = limits.begin(address(last), NOW).unwrap();
            }
            if last < 6 {
                let owner = limits.begin(address(200), NOW).unwrap();
                limits.right(&owner);
            }
        }
        assert_eq!(limits.begin(address(200), NOW).unwrap_err(), Wait(seconds(30)));
    }

    /// Guesses come from a thousand addresses, none of which tries often.
    #[test]
    fn r8_when_the_total_is_used_up_one_try_in_half_a_minute_is_left_for_all() {
        let mut limits = Limits::default();
        for last in 1..=30 {
            let _ = limits.begin(address(last), NOW).unwrap();
        }
        let mut now = NOW;
        for last in 31..40 {
            assert_eq!(limits.begin(address(last), now).unwrap_err(), Wait(seconds(30)));
            now = now + seconds(30);
            let _ = limits.begin(address(last), now).unwrap();
        }
        let later = now + TOTAL_WINDOW;
        for last in 41..71 {
            let _ = limits.begin(address(last), later).unwrap();
        }
        assert!(limits.begin(address(71), later).is_err());
    }

    #[test]
    fn a_right_password_gives_its_try_back_and_clears_its_address() {
        let mut limits = Limits::default();
        for _ in 0..4 {
            let _ = limits.begin(address(7), NOW).unwrap();
        }
        let right = limits.begin(address(7), NOW).unwrap();
        limits.right(&right);
        for _ in 0..5 {
            let _ = limits.begin(address(7), NOW).unwrap();
        }
        assert_eq!(limits.begin(address(7), NOW).unwrap_err(), Wait(seconds(10)));
        assert_eq!(limits.total.len(), 9, "four wrong, one given back, five wrong");
    }

    /// One machine has 2^64 addresses of IPv6 to guess from.
    #[test]
    fn r8_a_network_of_ipv6_is_one_address() {
        let mut limits = Limits::default();
        for host in 1..=5_u16 {
            let from = std::net::Ipv6Addr::new(0xfd00, 1, 2, 3, 0, 0, 0, host);
            let _ = limits.begin(from.into(), NOW).unwrap();
        }
        assert!(limits.begin("fd00:1:2:3:ffff::1".parse().unwrap(), NOW).is_err());
        assert!(limits.begin("fd00:1:2:4::1".parse().unwrap(), NOW).is_ok());
    }

    /// Tries from ever new addresses fill the memory.
    #[test]
    fn inv_50_the_table_stays_small() {
        let mut limits = Limits::default();
        for number in 0..5_000_u32 {
            let from = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
            let _ = limits.begin(from.into(), NOW + seconds(30 * u64::from(number))).unwrap();
        }
        assert!(limits.networks.len() <= MAX_NETWORKS);
        assert!(limits.total.len() <= 50, "{}", limits.total.len());
    }

    /// Made-up links, which may be tried without end, push everything else out of the audit log.
    #[test]
    fn wrong_links_are_noted_only_so_often() {
        let mut limits = Limits::default();
        assert_eq!((0..100).filter(|_| limits.note_wrong_link(NOW)).count(), 30);
        assert!(limits.note_wrong_link(NOW + TOTAL_WINDOW));
    }
}
