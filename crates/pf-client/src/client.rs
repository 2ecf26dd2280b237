//! One install of the client: its identity, its store, its socket.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pf_base::{Code, DeviceName, Fingerprint, Identity};
use pf_net::ClientEndpoint;
use pf_store::{ClientStore, DataDir, KnownHost};
use pf_trust::route::{self, Answer, Route};

use crate::{Failure, Found, clock};

/// One install of the client.
pub struct Client {
    pub(crate) identity: Arc<Identity>,
    pub(crate) endpoint: Arc<ClientEndpoint>,
    pub(crate) name: DeviceName,
    store: Mutex<ClientStore>,
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

    /// Takes away the pin of the one known host that goes by `text`. A mark stays: it must be paired by PIN again.
    pub fn forget(&self, text: &str) -> Result<KnownHost, Failure> {
        let mut store = self.store();
        let mut meant = store.find(text)?;
        let host = match meant.len() {
            0 => return Err(Failure::NoSuchHost(text.to_owned())),
            1 => meant.swap_remove(0),
            _ => return Err(Failure::Ambiguous(text.to_owned())),
        };
        store.forget(host.fingerprint, clock::now())?;
        keep_copy(&mut store);
        Ok(host)
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

    pub(crate) fn store(&self) -> MutexGuard<'_, ClientStore> {
        // Each call on the store is a transaction of its own: a thread that panicked left nothing half done.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a copy of the store after a change of trust.
pub(crate) fn keep_copy(store: &mut ClientStore) {
    if let Err(error) = store.keep_copy() {
        tracing::warn!(%error, "no copy of the store could be kept");
    }
}
