//! Watching the hosts around: the driver of a [`Neighbourhood`].

use std::{sync::Arc, time::Duration};

use pf_discovery::{Browser, Sighting};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};

use crate::{Client, Failure, Listed, Neighbourhood};

/// The hosts around, as they come and go.
pub struct Watch {
    client: Arc<Client>,
    neighbourhood: Neighbourhood,
    browser: Option<Browser>,
    search: Search,
    writes: watch::Receiver<()>,
    tick: tokio::time::Interval,
    is_looked_up: bool,
    told: Option<Around>,
}

/// The hosts around at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// In the order in which to show them.
    pub hosts: Vec<Listed>,
    /// Whether the network is searched: where it is not, known hosts are all there is.
    pub search: Search,
}

/// Whether the network is searched for hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// It is.
    On,
    /// It cannot be now, and is tried again by itself.
    Off {
        /// What the machine says.
        why: String,
    },
}

impl Client {
    /// Begins to watch the hosts around.
    ///
    /// Must be called inside of a tokio runtime.
    pub fn watch(self: &Arc<Self>) -> Watch {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watch {
            client: Arc::clone(self),
            neighbourhood: Neighbourhood::default(),
            browser: None,
            search: Search::On,
            writes: self.store_writes(),
            tick,
            is_looked_up: false,
            told: None,
        }
    }
}

impl Watch {
    /// The hosts around, at once at first and then whenever anything about them has changed. Safe to cancel.
    ///
    /// An error is the store's. What was told before still stands, and the next call tries again after a while.
    pub async fn next(&mut self) -> Result<Around, Failure> {
        loop {
            // Before waiting: a call that was cancelled may have taken something in.
            if self.is_looked_up {
                let around = Around { hosts: self.neighbourhood.list(), search: self.search.clone() };
                if self.told.as_ref() != Some(&around) {
                    self.told = Some(around.clone());
                    return Ok(around);
                }
            }
            self.wait().await?;
        }
    }

    /// Waits until something may have changed, and takes it in.
    async fn wait(&mut self) -> Result<(), Failure> {
        let next_sighting = async {
            match &self.browser {
                Some(browser) => browser.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // What was written here is seen at once; by others, with the next tick.
            _ = self.writes.changed() => self.look_up(),
            _ = self.tick.tick() => {
                self.search();
                self.look_up()
            }
            sighting = next_sighting => {
                self.take_in(sighting);
                self.take_in_what_follows().await;
                Ok(())
            }
        }
    }

    /// Takes in what comes within a moment, so that many adverts are not as many lists.
    async fn take_in_what_follows(&mut self) {
        let end = Instant::now() + GATHER;
        while let Some(browser) = &self.browser
            && let Ok(sighting) = timeout_at(end, browser.next()).await
        {
            self.take_in(sighting);
        }
    }

    fn take_in(&mut self, sighting: Option<Sighting>) {
        match sighting {
            Some(sighting) => self.neighbourhood.see(sighting),
            None => self.lose_sight("the search ended by itself".to_owned()),
        }
    }

    fn look_up(&mut self) -> Result<(), Failure> {
        self.neighbourhood.know(self.client.hosts()?);
        self.is_looked_up = true;
        Ok(())
    }

    /// Searches, unless it does already.
    fn search(&mut self) {
        if self.browser.is_some() {
            return;
        }
        match Browser::start() {
            Ok(browser) => {
                self.browser = Some(browser);
                self.search = Search::On;
            }
            Err(error) => self.lose_sight(error.to_string()),
        }
    }

    fn lose_sight(&mut self, why: String) {
        self.browser = None;
        self.neighbourhood.lose_sight();
        self.search = Search::Off { why };
    }
}

/// How often the store is read for what other processes wrote to it, and a search is begun again that cannot go on.
/// Reading takes well below a millisecond.
const TICK: Duration = Duration::from_secs(5);

/// How long adverts are gathered before they make a list: as long as nobody sees.
const GATHER: Duration = Duration::from_millis(60);
