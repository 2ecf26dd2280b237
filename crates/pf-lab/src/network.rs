//! What a network does to packets, and the decision about each.

use std::time::{Duration, Instant};

/// What a network does to packets. The default is one without flaws.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Network {
    /// The share of packets that are lost by themselves, either way, 0 to 1.
    pub loss: f64,
    /// Packets to the client that are lost in a row, by their number.
    pub bursts: Option<Bursts>,
    /// Packets to the client that are lost in a row, by the clock.
    pub outages: Option<Outages>,
    /// How long a packet takes, either way.
    pub delay: Duration,
    /// What the link to the client takes.
    pub bottleneck: Option<Bottleneck>,
}

/// Losses in a row, however long that takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// Of so many packets
    pub every: u64,
    /// the last ones are lost, so many; fewer than `every`.
    pub length: u64,
}

/// Losses in a row, again and again after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outages {
    /// Once in such a time
    pub every: Duration,
    /// so many packets are lost, one after the other.
    pub packets: u64,
}

/// A link with a queue in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bottleneck {
    /// In bits a second, the headers of UDP and IP counted.
    pub rate: u64,
    /// A packet that would wait for longer is dropped.
    pub queue: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToHost,
    ToClient,
}

/// What decides about the packets of one direction.
///
/// What a seed decides is decided alike in every run, as far as the packets are the same.
#[derive(Debug)]
pub(crate) struct Fate {
    direction: Direction,
    random: u64,
    packets: u64,
    next_outage: Option<Instant>,
    left_of_outage: u64,
    /// Until when the bottleneck is busy with what it took.
    busy_until: Option<Instant>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is there at this moment.
    ArrivesAt(Instant),
    /// It is lost by itself, in a burst or in an outage.
    Lost,
    /// It found the bottleneck's queue full.
    Dropped,
}

impl Fate {
    pub(crate) fn of(direction: Direction) -> Self {
        let random = match direction {
            Direction::ToHost => 1,
            Direction::ToClient => 2,
        };
        Self { direction, random, packets: 0, next_outage: None, left_of_outage: 0, busy_until: None }
    }

    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    /// Decides about a packet that takes `bytes` on the link, headers counted.
    pub(crate) fn decide(&mut self, now: Instant, network: &Network, bytes: usize) -> Verdict {
        let to_client = self.direction == Direction::ToClient;
        self.packets += 1;
        let is_lost_by_itself = self.random() < network.loss;
        if is_lost_by_itself || (to_client && (self.is_in_burst(network) || self.is_in_outage(now, network)))
        {
            return Verdict::Lost;
        }
        let mut leaves = now;
        if let Some(bottleneck) = network.bottleneck.filter(|_| to_client) {
            let begins = self.busy_until.map_or(now, |busy| busy.max(now));
            if begins - now > bottleneck.queue {
                return Verdict::Dropped;
            }
            leaves = begins + Duration::from_secs_f64(bytes as f64 * 8.0 / bottleneck.rate as f64);
            self.busy_until = Some(leaves);
        }
        Verdict::ArrivesAt(leaves + network.delay)
    }

    fn is_in_burst(&self, network: &Network) -> bool {
        network.bursts.is_some_and(|bursts| self.packets % bursts.every >= bursts.every - bursts.length)
    }

    fn is_in_outage(&mut self, now: Instant, network: &Network) -> bool {
        let Some(outages) = network.outages else {
            (self.next_outage, self.left_of_outage) = (None, 0);
            return false;
        };
        let next = *self.next_outage.get_or_insert(now + outages.every);
        if now >= next {
            self.next_outage = Some(now + outages.every);
            self.left_of_outage = outages.packets;
        }
        let is_in_outage = self.left_of_outage > 0;
        self.left_of_outage = self.left_of_outage.saturating_sub(1);
        is_in_outage
    }

    /// From 0 to 1. Knuth's MMIX generator; its upper bits are good enough to spread losses.
    fn random(&mut self) -> f64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts on `count` packets of 1250 bytes, one each millisecond, and when each was sent.
    fn verdicts(direction: Direction, network: &Network, count: u32) -> Vec<(Instant, Verdict)> {
        let (mut fate, start) = (Fate::of(direction), Instant::now());
        let sent = (0..count).map(|number| start + Duration::from_millis(number.into()));
        sent.map(|now| (now, fate.decide(now, network, 1250))).collect()
    }

    fn lost(verdicts: &[(Instant, Verdict)]) -> Vec<usize> {
        let is_lost = |(_, (_, verdict)): &(usize, &(Instant, Verdict))| *verdict == Verdict::Lost;
        verdicts.iter().enumerate().filter(is_lost).map(|(number, _)| number).collect()
    }

    #[test]
    fn a_network_without_flaws_delivers_at_once() {
        for direction in [Direction::ToHost, Direction::ToClient] {
            let all = verdicts(direction, &Network::default(), 100);
            assert!(all.iter().all(|&(sent, verdict)| verdict == Verdict::ArrivesAt(sent)));
        }
    }

    #[test]
    fn as_many_are_lost_as_is_said_and_the_same_in_each_run() {
        let network = Network { loss: 0.1, ..Network::default() };
        let first = lost(&verdicts(Direction::ToHost, &network, 10_000));
        assert!((900..1100).contains(&first.len()), "{}", first.len());
        assert_eq!(first, lost(&verdicts(Direction::ToHost, &network, 10_000)));
    }

    #[test]
    fn an_outage_takes_so_many_in_a_row_once_a_second_and_nothing_of_the_way_back() {
        let outages = Some(Outages { every: Duration::from_secs(1), packets: 3 });
        let network = Network { outages, ..Network::default() };
        let to_client = lost(&verdicts(Direction::ToClient, &network, 2_500));
        assert_eq!(to_client, [1000, 1001, 1002, 2000, 2001, 2002]);
        assert_eq!(lost(&verdicts(Direction::ToHost, &network, 2_500)), [0; 0]);
    }

    #[test]
    fn a_burst_takes_the_last_of_so_many() {
        let network = Network { bursts: Some(Bursts { every: 5, length: 2 }), ..Network::default() };
        assert_eq!(lost(&verdicts(Direction::ToClient, &network, 10)), [2, 3, 7, 8]);
    }

    /// 1250 bytes each millisecond are 10 Mbit/s: at half of that a queue grows by half a millisecond each time.
    #[test]
    fn a_bottleneck_delays_until_its_queue_is_full_and_then_drops() {
        let bottleneck = Some(Bottleneck { rate: 5_000_000, queue: Duration::from_millis(10) });
        let network = Network { bottleneck, delay: Duration::from_millis(7), ..Network::default() };
        let all = verdicts(Direction::ToClient, &network, 100);
        let waits: Vec<_> = all
            .iter()
            .filter_map(|&(sent, verdict)| match verdict {
                Verdict::ArrivesAt(at) => Some(at - sent),
                Verdict::Lost | Verdict::Dropped => None,
            })
            .collect();
        assert_eq!(waits[0], Duration::from_millis(2 + 7));
        assert_eq!(waits[5], Duration::from_millis(7 + 7));
        assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(12 + 7)));
        assert!(
            (50..70).contains(&waits.len()),
            "half of it passes, and what the queue holds: {}",
            waits.len()
        );
    }
}
