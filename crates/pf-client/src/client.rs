//! One install of the client: its identity, its store, its socket.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pf_base::{Code, DeviceName, Fingerprint, Identity};
use pf_net::ClientEndpoint;
use pf_store::{ClientStore, DataDir, KnownHost};
use pf_trust::route::{self, Answer, Route};
use tokio::sync::watch;

use crate::{Failure, Found, clock};

/// One install of the client.
pub struct Client {
    pub(crate) identity: Arc<Identity>,
    pub(crate) endpoint: Arc<ClientEndpoint>,
    pub(crate) name: DeviceName,
    store: Mutex<ClientStore>,
    store_written: watch::Sender<()>,
}

impl Client {
    /// Opens the client that lives in `data_dir`, or makes it at first start. `name` is what hosts see it called.
    ///
    /// Must be called inside of a tokio runtime.
    pub fn open(data_dir: impl AsRef<Path>, name: DeviceName) -> Result<Self, Failure> {
        let data_dir = DataDir::open(data_dir)?;
        let identity = pf_store::identity::load_or_create(&data_dir)?;
        let store = ClientStore::open(&data_dir)?;
        let endpoint = ClientEndpoint::new().map_err(|error| Failure::machine("no socket", &error))?;
        Ok(Self {
            identity: Arc::new(identity),
            endpoint: Arc::new(endpoint),
            name,
            store: Mutex::new(store),
            store_written: watch::Sender::new(()),
        })
    }

    /// What hosts know this client by.
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// Every host that is known.
    pub fn hosts(&self) -> Result<Vec<KnownHost>, Failure> {
        Ok(self.store().hosts()?)
    }

    /// Takes away the pin of a known host. A mark stays: when it comes back, it must be paired by PIN.
    pub fn forget(&self, fingerprint: Fingerprint) -> Result<KnownHost, Failure> {
        let host = self.known_host(fingerprint)?;
        let mut store = self.store();
        store.forget(fingerprint, clock::now())?;
        keep_copy(&mut store);
        Ok(host)
    }

    /// Calls a known host by a name of its person's own, whatever it calls itself later.
    pub fn rename(&self, fingerprint: Fingerprint, label: &DeviceName) -> Result<KnownHost, Failure> {
        let mut store = self.store();
        store.rename(fingerprint, label, clock::now())?;
        keep_copy(&mut store);
        drop(store);
        self.known_host(fingerprint)
    }

    /// Says goodbye to every host.
    pub async fn shutdown(&self) {
        self.endpoint.shutdown(Code::Ended).await;
    }

    /// What to do about a host, going by what is known, how it was named, its adverts and its answer.
    pub(crate) fn route(&self, found: &Found, answer: Option<Answer>) -> Result<Route, Failure> {
        let facts = found.facts(None, None);
        let known = self.store().known(&facts, answer.map(|answer| answer.fingerprint))?;
        Ok(route::route(known, found.named(), found.advert(), answer))
    }

    pub(crate) fn store(&self) -> StoreGuard<'_> {
        // Each call on the store is a transaction of its own: a thread that panicked left nothing half done.
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        StoreGuard { store, written: &self.store_written, is_written: false }
    }

    /// Wakes whenever the store may have been written to from here.
    pub(crate) fn store_writes(&self) -> watch::Receiver<()> {
        self.store_written.subscribe()
    }
}

/// The store, for one caller at a time; tells who watches when it may have been written to.
pub(crate) struct StoreGuard<'a> {
    store: MutexGuard<'a, ClientStore>,
    written: &'a watch::Sender<()>,
    is_written: bool,
}

impl Deref for StoreGuard<'_> {
    type Target = ClientStore;

    fn deref(&self) -> &ClientStore {
        &self.store
    }
}

impl DerefMut for StoreGuard<'_> {
    fn deref_mut(&mut self) -> &mut ClientStore {
        self.is_written = true;
        &mut self.store
    }
}

impl Drop for StoreGuard<'_> {
    fn drop(&mut self) {
        if self.is_written {
            self.written.send_replace(());
        }
    }
}

/// Keeps a copy of the store after a change of trust.
pub(crate) fn keep_copy(store: &mut ClientStore) {
    if let Err(error) = store.keep_copy() {
        tracing::warn!(%error, "no copy of the store could be kept");
    }
}
