//! The gate: the one thread that holds the admission state and the store, and so the only one that lets anyone in.
//!
//! Everything that happens to trust comes here as an [`Event`], is put to [`step`], and what the step asks for is
//! carried out in its order: changes are stored, the state is adopted, effects go to the connections that they name.
//! One thread, one queue: two events never race.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use pf_base::{Code, Pin, PinDigits, Timestamp};
use pf_console::control::Happening;
use pf_store::{AuditRow, HostStore, StoreError};
use pf_trust::{
    admission::{ConnectionId, Effect, Event, Reply, State, Step, Target, Topics, Unsaved, step},
    record::{AuditEvent, AuditKind, Change},
};
use tokio::sync::{broadcast, mpsc as async_mpsc, oneshot};

use crate::{clock::Clock, control};

/// How long the gate sits idle before it looks at the clock anyway.
const IDLE: Duration = Duration::from_mins(1);

/// How many happenings a slow watcher may fall behind before it misses some.
const WATCH_BACKLOG: usize = 256;

/// A handle to the gate; cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    queue: mpsc::Sender<Message>,
    watchers: broadcast::Sender<Happening>,
    next_connection: Arc<AtomicU64>,
}

/// A PIN that the test host armed by itself.
pub(crate) struct SelfArmed<'a> {
    pub(crate) pin: &'a Pin,
    /// How long until it can be tried.
    pub(crate) opens_in: Duration,
}

/// Makes the owner's act from the state that it is decided on.
type Act = Box<dyn FnOnce(&State, Timestamp) -> Event + Send>;

/// Looks at the state and the store, between two events.
type Look = Box<dyn FnOnce(&State, &HostStore, Timestamp) + Send>;

enum Message {
    Open(ConnectionId, async_mpsc::UnboundedSender<Effect>),
    Peer(Event),
    Owner(Act, oneshot::Sender<Result<Reply, StoreError>>),
    Inspect(Look),
    Note(AuditEvent),
    Stop,
}

impl Gate {
    /// Starts the gate's thread. `announce` is told each PIN that an always-armed host makes.
    pub(crate) fn start(
        state: State,
        store: HostStore,
        clock: Clock,
        announce: impl FnMut(SelfArmed<'_>) + Send + 'static,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, messages) = mpsc::channel();
        let watchers = broadcast::Sender::new(WATCH_BACKLOG);
        let keeper = Keeper {
            state,
            store,
            clock,
            lines: HashMap::new(),
            owed: VecDeque::new(),
            later: Vec::new(),
            untidy_since: Some(clock.now()),
            stopping_since: None,
            watchers: watchers.clone(),
            announce: Box::new(announce),
        };
        let thread = thread::Builder::new().name("gate".to_owned()).spawn(move || keeper.run(&messages))?;
        Ok((Self { queue, watchers, next_connection: Arc::default() }, thread))
    }

    /// A line for one connection: its events go in, and what the gate decides of it comes out.
    pub(crate) fn line(&self) -> Line {
        let connection = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        let (sender, effects) = async_mpsc::unbounded_channel();
        self.put(Message::Open(connection, sender));
        Line { connection, gate: self.clone(), effects }
    }

    /// Puts the owner's act to the gate, made from the state that it is decided on.
    ///
    /// An error when it could not be stored: then it did not happen, unless it takes trust away (see [`Unsaved`]).
    pub(crate) async fn owner(
        &self,
        act: impl FnOnce(&State, Timestamp) -> Event + Send + 'static,
    ) -> Result<Reply, StoreError> {
        let (sender, reply) = oneshot::channel();
        self.put(Message::Owner(Box::new(act), sender));
        // A gate that is gone is a host that stops: nothing was done.
        reply.await.unwrap_or(Ok(Reply::None))
    }

    /// Looks at the state and the store, between two events.
    pub(crate) async fn inspect<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State, &HostStore, Timestamp) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        self.put(Message::Inspect(Box::new(move |state, store, now| {
            // Who asked may be gone already.
            let _ = sender.send(look(state, store, now));
        })));
        answer.await.ok()
    }

    /// Puts a line of the console's into the audit log: at once, unless it is of a kind that anybody can cause.
    pub(crate) fn note(&self, event: AuditEvent) {
        self.put(Message::Note(event));
    }

    /// What happens from now on.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Happening> {
        self.watchers.subscribe()
    }

    /// Ends the gate's thread once everything before this is carried out and stored.
    pub(crate) fn stop(&self) {
        self.put(Message::Stop);
    }

    fn put(&self, message: Message) {
        // The queue outlives every line of a running host; when the gate has stopped, nobody is let in any more.
        let _ = self.queue.send(message);
    }
}

/// One connection's line to the gate. Dropping it tells the gate that the connection is gone.
pub(crate) struct Line {
    connection: ConnectionId,
    gate: Gate,
    effects: async_mpsc::UnboundedReceiver<Effect>,
}

impl Line {
    /// Which connection's it is.
    pub(crate) fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Puts an event of this connection to the gate.
    pub(crate) fn tell(&self, event: impl FnOnce(ConnectionId) -> Event) {
        self.gate.put(Message::Peer(event(self.connection)));
    }

    /// The gate's next decision about this connection. Safe to cancel.
    ///
    /// A gate that has stopped lets nobody in and keeps nobody.
    pub(crate) async fn decision(&mut self) -> Effect {
        let connection = self.connection;
        self.effects.recv().await.unwrap_or(Effect::Close { connection, code: Code::Ended })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.tell(|connection| Event::Closed { connection });
    }
}

/// Whose event it was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The owner's, who waits for the reply.
    Owner,
    /// A peer's, or the clock's.
    Network,
}

/// The gate's thread.
struct Keeper {
    state: State,
    store: HostStore,
    clock: Clock,
    lines: HashMap<ConnectionId, async_mpsc::UnboundedSender<Effect>>,
    /// What is in force already and could not be stored, oldest first: nothing else is stored before it.
    owed: VecDeque<(Timestamp, Vec<Change>)>,
    later: Vec<(Timestamp, Vec<Change>)>,
    /// Since when there is something to store, or a copy to keep, that nobody waits for.
    untidy_since: Option<Timestamp>,
    stopping_since: Option<Timestamp>,
    watchers: broadcast::Sender<Happening>,
    announce: Box<dyn FnMut(SelfArmed<'_>) + Send>,
}

impl Keeper {
    fn run(mut self, messages: &mpsc::Receiver<Message>) {
        self.put_peer(Event::Tick);
        loop {
            match messages.recv_timeout(self.patience()) {
                Ok(Message::Open(connection, line)) => {
                    self.lines.insert(connection, line);
                }
                Ok(Message::Peer(event)) => {
                    let gone = if let Event::Closed { connection } = event { Some(connection) } else { None };
                    self.put_peer(event);
                    if let Some(connection) = gone {
                        self.lines.remove(&connection);
                    }
                }
                Ok(Message::Owner(act, reply)) => {
                    // What the owner does comes after what happened before, in the log, too.
                    self.store_later();
                    let event = act(&self.state, self.clock.now());
                    // Who asked may be gone already; the act stands.
                    let _ = reply.send(self.put_event(event, Origin::Owner));
                }
                Ok(Message::Inspect(look)) => {
                    self.store_later();
                    look(&self.state, &self.store, self.clock.now());
                }
                Ok(Message::Note(event)) => self.note(event),
                Err(RecvTimeoutError::Timeout) => {
                    self.tidy_up();
                    self.put_peer(Event::Tick);
                }
                Ok(Message::Stop) => self.stopping_since = Some(self.clock.now()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.has_stopped() {
                break;
            }
            if self.untidy_since.is_some_and(|since| self.clock.now().since(since) >= UNTIDY_AT_MOST) {
                self.tidy_up();
            }
        }
        self.tidy_up();
    }

    /// Whether a host that stops has heard of the end of every connection, or waited long enough for it.
    fn has_stopped(&self) -> bool {
        self.stopping_since
            .is_some_and(|since| self.lines.is_empty() || self.clock.now().since(since) >= LAST_WORDS)
    }

    /// How long to wait for the next message: until something is due, and shortly while something is to be tidied up.
    fn patience(&self) -> Duration {
        let until_deadline = self.state.next_deadline().map_or(IDLE, |at| at.since(self.clock.now()));
        let is_impatient = self.untidy_since.is_some() || self.stopping_since.is_some();
        if is_impatient {
            until_deadline.min(LULL)
        } else if self.owed.is_empty() {
            until_deadline
        } else {
            until_deadline.min(TRY_AGAIN)
        }
    }

    /// Puts an event that nobody waits for the reply of.
    fn put_peer(&mut self, event: Event) {
        if let Err(error) = self.put_event(event, Origin::Network) {
            tracing::error!(%error, "a change of trust could not be stored");
        }
    }

    fn put_event(&mut self, event: Event, origin: Origin) -> Result<Reply, StoreError> {
        let now = self.clock.now();
        let Step { state, changes, effects, later, reply, unsaved } = step(&self.state, event, now);
        let stored = if changes.is_empty() { Ok(()) } else { self.store(&changes, now) };
        let mut changed = Topics::default();
        if !(changes.is_empty() && later.is_empty()) {
            self.untidy_since.get_or_insert(now);
        }
        // A step that is discarded happens once more, with all that it would have noted.
        if stored.is_ok() || unsaved == Unsaved::StayClosed {
            changed = state.changed_since(&self.state);
            self.state = state;
            if !later.is_empty() {
                self.later.push((now, later));
            }
        }
        for effect in effects {
            match &stored {
                Ok(()) => self.carry_out(effect),
                Err(_) => self.carry_out_unsaved(effect, unsaved, origin),
            }
        }
        if stored.is_err() && unsaved == Unsaved::StayClosed {
            self.owed.push_back((now, changes));
        }
        if changed.any() {
            self.tell_watchers(Happening::Changed(control::topics(changed)));
        }
        stored.map(|()| reply)
    }

    /// Stores changes, after all that is owed, and tells the watchers of the new lines in the audit log.
    fn store(&mut self, changes: &[Change], at: Timestamp) -> Result<(), StoreError> {
        self.store_owed()?;
        let audited = self.store.commit(changes, at)?;
        self.tell_of(&audited);
        Ok(())
    }

    /// Stores what is in force and could not be stored before: a removal that stays unstored is undone by the next
    /// start.
    fn store_owed(&mut self) -> Result<(), StoreError> {
        while let Some((at, changes)) = self.owed.pop_front() {
            match self.store.commit(&changes, at) {
                Ok(audited) => self.tell_of(&audited),
                Err(error) => {
                    self.owed.push_front((at, changes));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) {
        if let Effect::Rearm { digits } = effect {
            self.rearm(digits);
        } else if let Some(line) = effect.connection().and_then(|connection| self.lines.get(&connection)) {
            // A connection whose task is gone hears no more; its `Closed` is on the way.
            let _ = line.send(effect);
        }
    }

    /// Carries out an effect of a step whose changes could not be stored: nothing that gives trust happens.
    fn carry_out_unsaved(&mut self, effect: Effect, unsaved: Unsaved, origin: Origin) {
        let closes = matches!(effect, Effect::Close { .. } | Effect::Refuse { .. } | Effect::Rearm { .. });
        match (unsaved, origin) {
            (Unsaved::StayClosed, _) if closes => self.carry_out(effect),
            // The owner hears of it; who waits goes on waiting.
            (Unsaved::Discard, Origin::Owner) => {}
            _ => {
                if let Some(connection) = effect.connection() {
                    self.carry_out(Effect::Refuse {
                        connection,
                        code: Code::StoreUnreadable,
                        retry_after: None,
                    });
                }
            }
        }
    }

    /// The test host is always armed: makes a PIN, and tells whoever runs it.
    fn rearm(&mut self, digits: PinDigits) {
        let pin = fresh_pin(digits);
        let arm = Event::Arm { target: Target::Anyone, ttl: None, pin: pin.clone() };
        match self.put_event(arm, Origin::Network) {
            Ok(Reply::Armed { opens_at, .. }) => {
                (self.announce)(SelfArmed { pin: &pin, opens_in: opens_at.since(self.clock.now()) });
            }
            Ok(reply) => tracing::error!(?reply, "the host could not arm itself"),
            Err(error) => tracing::error!(%error, "the host could not arm itself"),
        }
    }

    /// Stores what is owed, and what nobody waited for.
    fn store_later(&mut self) {
        if let Err(error) = self.store_owed() {
            tracing::error!(%error, "what is in force could still not be stored");
        }
        for (at, changes) in std::mem::take(&mut self.later) {
            if let Err(error) = self.store(&changes, at) {
                tracing::error!(%error, "audit entries could not be stored");
            }
        }
    }

    /// Notes what happened to the console. A line that anybody can cause waits until there is time; how many of those
    /// there are, the console bounds.
    fn note(&mut self, event: AuditEvent) {
        let is_anybodys = event.kind == AuditKind::ConsoleSignInFailed;
        let now = self.clock.now();
        self.later.push((now, vec![Change::Audit(event)]));
        self.untidy_since.get_or_insert(now);
        if !is_anybodys {
            self.store_later();
        }
    }

    fn tell_of(&self, audited: &[AuditRow]) {
        for row in audited {
            self.tell_watchers(control::audited(row));
        }
    }

    fn tell_watchers(&self, happening: Happening) {
        // Nobody may be watching.
        let _ = self.watchers.send(happening);
    }

    /// Does what nobody waits for: stores the remaining entries, and keeps a copy of the store if trust changed.
    fn tidy_up(&mut self) {
        self.untidy_since = None;
        self.store_later();
        if let Err(error) = self.store.keep_copy() {
            tracing::warn!(%error, "no copy of the store could be kept");
        }
    }
}

/// How long nothing must happen before the gate tidies up: a ceremony never waits for that.
const LULL: Duration = Duration::from_millis(200);

/// How long a host that stops waits to hear of the end of its connections.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long until what is owed to the store is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// How long it may be put off where there is no such lull.
const UNTIDY_AT_MOST: Duration = Duration::from_secs(2);

/// A PIN from the system's randomness.
///
/// # Panics
/// When the system has no randomness: then nothing here can be trusted.
pub(crate) fn fresh_pin(digits: PinDigits) -> Pin {
    Pin::random(digits, || {
        let mut number = [0; 8];
        getrandom::fill(&mut number).expect("the system has randomness");
        u64::from_ne_bytes(number)
    })
}
