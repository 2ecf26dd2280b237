//! Requests for access: the list of devices that wait for the owner's yes.
//!
//! One device is one entry, however often it asks. A device that waits on a live connection is *parked*: its entry
//! holds the check code and is never pushed out by others, only by its own newer one, the owner's answer, or time.
//! Devices on the allow-list have no entry: pairing answers the one that they may have had.

use pf_base::{CheckCode, Code, DeviceName, Fingerprint, Timestamp};

use crate::{
    proof::{Approval, Comparison},
    record::{AuditKind, Change, PairedBy},
};

use super::{
    ConnectionId, Effect, OwnerError, Peer, Reply, RequestId, Turn, Unsaved,
    limits::{self, REQUEST_LIFETIME, REQUESTS, REQUESTS_PER_ADDRESS},
};

/// One request, as the owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number: another one whenever anything else here changes, but for the times.
    pub id: RequestId,
    /// Who asks, and from where.
    pub peer: Peer,
    /// What it calls itself.
    pub name: DeviceName,
    /// When it asked last.
    pub asked_at: Timestamp,
    /// Until when the owner may answer.
    pub expires_at: Timestamp,
    /// Where it waits, and the check code that it shows; nothing where it left the request and went.
    pub parked: Option<Parked>,
}

impl Request {
    fn waits_at(&self, connection: ConnectionId) -> bool {
        self.parked.is_some_and(|parked| parked.connection == connection)
    }
}

/// A device that waits on a live connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Its connection.
    pub connection: ConnectionId,
    /// What both machines show.
    pub code: CheckCode,
}

/// No room in the list, for devices wait in all its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// In those of this address.
    Address { free_at: Timestamp },
    /// In all of them.
    List { free_at: Timestamp },
}

/// What there is to do so that one more request fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Nothing.
    Free,
    /// This one goes: the oldest that nobody waits on.
    After(RequestId),
}

/// The list, in the order in which the devices asked last.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    list: Vec<Request>,
    next: u32,
}

impl Requests {
    pub(super) fn new(first: u32) -> Self {
        Self { list: Vec::new(), next: first }
    }

    pub(super) fn list(&self) -> &[Request] {
        &self.list
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.list.iter().map(|request| request.expires_at).min()
    }

    pub(super) fn is_parked(&self, connection: ConnectionId) -> bool {
        self.list.iter().any(|request| request.waits_at(connection))
    }

    fn of(&self, fingerprint: Fingerprint) -> Option<&Request> {
        self.list.iter().find(|request| request.peer.fingerprint == fingerprint)
    }

    /// Whether a request of this peer finds room, its own older one not counted.
    pub(super) fn room_for(&self, peer: Peer) -> Result<Room, Full> {
        let others = || self.list.iter().filter(|request| request.peer.fingerprint != peer.fingerprint);
        let source = limits::source(peer.address);
        let neighbours = || others().filter(|request| limits::source(request.peer.address) == source);
        if neighbours().count() >= REQUESTS_PER_ADDRESS {
            return room_among(neighbours()).map_err(|free_at| Full::Address { free_at });
        }
        if others().count() >= REQUESTS {
            return room_among(others()).map_err(|free_at| Full::List { free_at });
        }
        Ok(Room::Free)
    }

    /// Takes a request off the list.
    fn take(&mut self, id: RequestId) -> Option<Request> {
        let place = self.list.iter().position(|request| request.id == id)?;
        Some(self.list.remove(place))
    }

    /// Puts a request at the end of the list under a fresh number.
    fn put(&mut self, peer: Peer, name: DeviceName, parked: Option<Parked>, now: Timestamp) -> RequestId {
        let id = self.fresh_id();
        self.list.push(Request { id, peer, name, asked_at: now, expires_at: now + REQUEST_LIFETIME, parked });
        id
    }

    fn fresh_id(&mut self) -> RequestId {
        let id = RequestId(self.next);
        self.next = self.next.wrapping_add(1);
        id
    }
}

/// The oldest that nobody waits on, else when the first of the waiting ones runs out.
fn room_among<'a>(requests: impl Iterator<Item = &'a Request> + Clone) -> Result<Room, Timestamp> {
    match requests.clone().find(|request| request.parked.is_none()) {
        Some(oldest) => Ok(Room::After(oldest.id)),
        None => Err(requests.map(|request| request.expires_at).min().unwrap_or(Timestamp::EPOCH)),
    }
}

impl Turn {
    /// A device leaves a request without waiting. One that is on the allow-list has its answer at its next connect.
    pub(super) fn knock(&mut self, connection: ConnectionId, peer: Peer, name: DeviceName) {
        if !self.state.is_paired(peer.fingerprint)
            && let Err(full) = self.leave_request(peer, Some(name))
        {
            return self.refuse_full(connection, full);
        }
        self.effects.push(Effect::Left { connection });
    }

    /// A device leaves a request and goes: by a knock, or by a connect that is refused.
    ///
    /// `name` is `None` where it has not said one; one that it said before stays.
    pub(super) fn leave_request(&mut self, peer: Peer, name: Option<DeviceName>) -> Result<(), Full> {
        let earlier = self.state.requests.of(peer.fingerprint);
        if earlier.is_some_and(|request| request.parked.is_some()) {
            return Ok(());
        }
        let name = name
            .or_else(|| earlier.map(|request| request.name.clone()))
            .unwrap_or_else(|| DeviceName::sanitise(""));
        let same = earlier.filter(|request| request.peer == peer && request.name == name);
        if let Some(id) = same.map(|request| request.id) {
            self.renew_request(id);
            return Ok(());
        }
        let earlier = earlier.map(|request| request.id);
        self.make_room_for(peer)?;
        if let Some(earlier) = earlier {
            self.state.requests.take(earlier);
        }
        self.note_stranger(AuditKind::Requested, peer, Some(name.clone()));
        self.state.requests.put(peer, name, None, self.now);
        Ok(())
    }

    /// A device finished the check-code exchange and waits.
    pub(super) fn park(&mut self, connection: ConnectionId, code: CheckCode) {
        let Some(exchange) = self.finish_exchange(connection) else { return };
        let (peer, name) = (exchange.peer, exchange.name);
        if self.state.is_paired(peer.fingerprint) {
            return self.effects.push(Effect::Approved { connection });
        }
        if let Err(full) = self.make_room_for(peer) {
            return self.refuse_full(connection, full);
        }
        if let Some(earlier) = self.state.requests.of(peer.fingerprint).map(|request| request.id) {
            self.drop_request(earlier, Code::RequestExpired);
        }
        self.note_stranger(AuditKind::Requested, peer, Some(name.clone()));
        let request = self.state.requests.put(peer, name, Some(Parked { connection, code }), self.now);
        self.effects.push(Effect::Parked { connection, request });
    }

    /// The owner says yes.
    pub(super) fn approve(&mut self, id: RequestId, label: Option<DeviceName>) {
        let Some(request) = self.state.requests.take(id) else {
            return self.refuse_owner(OwnerError::NoSuchRequest);
        };
        let fingerprint = request.peer.fingerprint;
        let (compared, kind) = match request.parked {
            Some(_) => (Comparison::CodeShown, AuditKind::Approved),
            None => (Comparison::NothingToCompare, AuditKind::ApprovedNotCompared),
        };
        let label = label.unwrap_or(request.name);
        self.state.allow(fingerprint, &label, PairedBy::Approval(compared), self.now);
        self.changes.push(Change::Approve(Approval::new(fingerprint, label.clone(), compared)));
        self.record(kind, Some(fingerprint), Some(request.peer.address), Some(label));
        if let Some(Parked { connection, .. }) = request.parked {
            self.effects.push(Effect::Approved { connection });
        }
        self.reply = Reply::Approved { fingerprint, compared };
    }

    /// The owner says no. The device may ask again.
    pub(super) fn deny(&mut self, id: RequestId) {
        let Some(request) = self.drop_request(id, Code::Denied) else {
            return self.refuse_owner(OwnerError::NoSuchRequest);
        };
        let Peer { fingerprint, address } = request.peer;
        self.record(AuditKind::Denied, Some(fingerprint), Some(address), Some(request.name));
        self.unsaved = Unsaved::StayClosed;
        self.reply = Reply::Done;
    }

    /// A device that was paired some other way has its answer.
    pub(super) fn answer_request_of(&mut self, fingerprint: Fingerprint) {
        let Some(id) = self.state.requests.of(fingerprint).map(|request| request.id) else { return };
        let request = self.state.requests.take(id);
        if let Some(Parked { connection, .. }) = request.and_then(|request| request.parked) {
            self.effects.push(Effect::Approved { connection });
        }
    }

    /// A waiting device is gone: its request stays, without a code, as if it had only knocked. Whether it was one.
    pub(super) fn unpark(&mut self, connection: ConnectionId) -> bool {
        let requests = &mut self.state.requests;
        let Some(place) = requests.list.iter().position(|request| request.waits_at(connection)) else {
            return false;
        };
        requests.list[place].id = requests.fresh_id();
        requests.list[place].parked = None;
        true
    }

    /// Drops the requests that nobody answered in time.
    pub(super) fn expire_requests(&mut self) {
        let now = self.now;
        let is_due = |request: &&Request| request.expires_at <= now;
        while let Some(id) = self.state.requests.list.iter().find(is_due).map(|request| request.id) {
            self.expire_request(id);
        }
    }

    /// Answers one who finds no room in the list.
    pub(super) fn refuse_full(&mut self, connection: ConnectionId, full: Full) {
        let (code, free_at) = match full {
            Full::Address { free_at } => (Code::RateLimited, free_at),
            Full::List { free_at } => (Code::Busy, free_at),
        };
        self.refuse_for(connection, code, free_at.since(self.now));
    }

    fn make_room_for(&mut self, peer: Peer) -> Result<(), Full> {
        match self.state.requests.room_for(peer)? {
            Room::Free => {}
            Room::After(id) => self.expire_request(id),
        }
        Ok(())
    }

    fn renew_request(&mut self, id: RequestId) {
        if let Some(request) = self.state.requests.take(id) {
            let (asked_at, expires_at) = (self.now, self.now + REQUEST_LIFETIME);
            self.state.requests.list.push(Request { asked_at, expires_at, ..request });
        }
    }

    fn expire_request(&mut self, id: RequestId) {
        if let Some(request) = self.drop_request(id, Code::RequestExpired) {
            self.note_stranger(AuditKind::RequestExpired, request.peer, Some(request.name));
        }
    }

    /// Takes a request off the list and tells the device that may be waiting.
    fn drop_request(&mut self, id: RequestId, code: Code) -> Option<Request> {
        let request = self.state.requests.take(id)?;
        if let Some(Parked { connection, .. }) = request.parked {
            self.effects.push(Effect::Close { connection, code });
        }
        Some(request)
    }
}
