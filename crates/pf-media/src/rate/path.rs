//! What reports show of a path.

use std::{collections::VecDeque, time::Duration};

use crate::time::Micros;

/// The shortest delay of the last ten to twenty seconds, in µs between two clocks of any offset.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BaseDelay {
    since: Micros,
    current: Option<i128>,
    previous: Option<i128>,
}

impl BaseDelay {
    pub(super) fn record(&mut self, now: Micros, took: i128) {
        if now.since(self.since) >= SPAN {
            self.since = now;
            self.previous = self.current.take();
        }
        self.current = Some(self.current.map_or(took, |shortest| shortest.min(took)));
    }

    pub(super) fn restart(&mut self) {
        self.current = None;
        self.previous = None;
    }

    pub(super) fn shortest(&self) -> Option<i128> {
        self.current.into_iter().chain(self.previous).min()
    }

    /// How much longer than the shortest it took.
    pub(super) fn above(&self, took: i128) -> Duration {
        let above = self.shortest().map_or(0, |shortest| took.saturating_sub(shortest));
        Duration::from_micros(u64::try_from(above).unwrap_or(0))
    }
}

/// At which rate the datagrams of the last frames arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Trains {
    rates: VecDeque<f64>,
}

impl Trains {
    pub(super) fn record(&mut self, bits_per_second: f64) {
        self.rates.push_back(bits_per_second);
        if self.rates.len() > TRAINS {
            self.rates.pop_front();
        }
    }

    pub(super) fn restart(&mut self) {
        self.rates.clear();
    }

    /// What half of the last trains reached; 0 before there were enough.
    pub(super) fn proven(&self) -> f64 {
        if self.rates.len() < TRAINS {
            return 0.0;
        }
        let mut rates: Vec<f64> = self.rates.iter().copied().collect();
        rates.sort_unstable_by(f64::total_cmp);
        rates[TRAINS / 2]
    }
}

/// Half of the time over which the shortest delay counts.
const SPAN: Duration = Duration::from_secs(10);

/// How many trains are looked at: 150 ms at 60 fps.
const TRAINS: usize = 9;
