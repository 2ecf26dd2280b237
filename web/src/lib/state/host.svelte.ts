/**
 * The host as this page knows it. Everything here came from the host: nothing is changed but by what it says, so that
 * two tabs always agree.
 */

import { api } from '../api/calls';
import { ApiError, onSignedOut } from '../api/client';
import { EventStream, type Topic } from '../api/events';
import type {
  AuditEntry,
  Device,
  Facts,
  LastWindow,
  Request,
  Session,
  SignIn,
  Window,
} from '../api/schema';
import { grouped } from '../format';
import { strings } from '../strings';
import { clock } from './clock.svelte';
import { FigureHistory } from './history.svelte';
import { notices } from './notices.svelte';

/** What was received, and when: what ends in `_s` counts from then. */
export type Timed<T> = T & { receivedAt: number };

/** Who wants to know of new lines of the audit log. */
export interface AuditWatcher {
  audited(entry: AuditEntry): void;
  /** Lines may have been missed: read the log again. */
  reread(): void;
}

class Host {
  connection = $state<'connecting' | 'live' | 'lost'>('connecting');
  facts = $state.raw<Facts | null>(null);
  lastWindow = $state.raw<LastWindow | null>(null);
  requests = $state.raw<Timed<Request>[] | null>(null);
  devices = $state.raw<Device[] | null>(null);
  sessions = $state.raw<Session[] | null>(null);
  signIns = $state.raw<SignIn[] | null>(null);
  readonly history = new FigureHistory();

  #window = $state.raw<Timed<Window> | null>(null);
  #pairingKnown = $state(false);
  #forgetPin: ReturnType<typeof setTimeout> | undefined;
  #stream: EventStream;
  #watchers = new Set<AuditWatcher>();
  /** What is being fetched, and whether it changed again meanwhile. */
  #fetching = new Map<Topic, 'fresh' | 'stale'>();
  /** Counts the sign-ins, so that an answer to an earlier one is dropped. */
  #stay = 0;

  constructor() {
    this.#stream = new EventStream({
      live: () => this.#live(),
      lost: () => this.#lost(),
      changed: (topics) => topics.forEach((topic) => void this.fetch(topic)),
      audited: (entry) => this.#watchers.forEach((watcher) => watcher.audited(entry)),
      missed: () => this.#watchers.forEach((watcher) => watcher.reread()),
      figures: (sessions) => this.#takeSessions(sessions),
    });
  }

  /** The open pairing window with its PIN; `undefined` until it is known, null when there is none. */
  get window(): Timed<Window> | null | undefined {
    return this.#pairingKnown ? this.#window : undefined;
  }

  /** Starts to follow the host. `ended` is called when the sign-in turns out to be over. */
  enter(ended: () => void): void {
    this.leave();
    onSignedOut(ended);
    this.#stream.start();
    void this.#fetchFacts();
  }

  /** Forgets everything. */
  leave(): void {
    this.#stay += 1;
    this.#stream.stop();
    this.#fetching.clear();
    this.history.clear();
    this.connection = 'connecting';
    this.facts = null;
    this.#takeWindow(null);
    this.#pairingKnown = false;
    this.lastWindow = null;
    this.requests = null;
    this.devices = null;
    this.sessions = null;
    this.signIns = null;
  }

  /** Tells `watcher` of the audit log from now on; returns how to stop that. */
  watchAudit(watcher: AuditWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Fetches a topic. If it is being fetched, it is fetched once more: that answer may be too old. */
  async fetch(topic: Topic): Promise<void> {
    if (this.#fetching.has(topic)) {
      this.#fetching.set(topic, 'stale');
      return;
    }
    const stay = this.#stay;
    try {
      do {
        this.#fetching.set(topic, 'fresh');
        const take = await this.#ask(topic);
        if (stay !== this.#stay) return;
        take();
      } while (this.#fetching.get(topic) === 'stale');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Without an answer the stream is about to break, too, and everything is fetched when it is back.
      if (error.status !== 0 && !error.signedOut) notices.failed(error);
    } finally {
      if (stay === this.#stay) this.#fetching.delete(topic);
    }
  }

  /** Fetches a topic, and returns what to do with the answer. */
  async #ask(topic: Topic): Promise<() => void> {
    switch (topic) {
      case 'pairing': {
        const pairing = await api.pairing();
        return () => {
          this.#takeWindow(pairing.window);
          this.#takeLastWindow(pairing.last_window);
          this.#pairingKnown = true;
        };
      }
      case 'requests': {
        const requests = await api.requests();
        return () => this.#takeRequests(requests);
      }
      case 'devices': {
        const devices = await api.devices();
        return () => (this.devices = devices);
      }
      case 'sessions': {
        const sessions = await api.sessions();
        return () => (this.sessions = sessions);
      }
      case 'sign_ins': {
        const signIns = await api.signIns();
        return () => (this.signIns = signIns);
      }
    }
  }

  async #fetchFacts(): Promise<void> {
    const stay = this.#stay;
    try {
      const status = await api.status();
      // Without the PIN, which this answer repeats.
      const { window, last_window, devices, requests, sessions, ...facts } = status;
      if (stay === this.#stay) this.facts = facts;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** The first event names all topics; what is not a topic is fetched here. */
  #live(): void {
    if (this.connection === 'lost') {
      notices.announce(strings.connection.back);
      this.#watchers.forEach((watcher) => watcher.reread());
    }
    this.connection = 'live';
    void this.#fetchFacts();
  }

  #lost(): void {
    if (this.connection !== 'lost') notices.alarm(strings.connection.lost);
    this.connection = 'lost';
    // A stream that is refused does not say why; a call does, and ends the sign-in if that is over.
    void this.#fetchFacts();
  }

  /** Keeps the PIN no longer than its window. */
  #takeWindow(window: Window | null): void {
    clearTimeout(this.#forgetPin);
    this.#window = window === null ? null : { ...window, receivedAt: Date.now() };
    if (window === null || window.expires_in_s === null) return;
    this.#forgetPin = setTimeout(() => {
      this.#window = null;
      void this.fetch('pairing');
    }, window.expires_in_s * 1000);
  }

  #takeLastWindow(ended: LastWindow | null): void {
    const known = this.lastWindow;
    this.lastWindow = ended;
    if (!this.#pairingKnown || ended === null || ended.at === known?.at) return;
    const name = ended.name ?? ended.fingerprint_for_the_eye ?? strings.someDevice;
    const words = strings.pairing;
    if (ended.outcome === 'wrong_pin') notices.alarm(words.wrongPin.replace('{name}', () => name));
    else if (ended.outcome === 'paired')
      notices.announce(words.paired.replace('{name}', () => name));
    else notices.announce(words[ended.outcome]);
  }

  #takeRequests(requests: Request[]): void {
    const known = this.requests;
    this.requests = requests.map((request) => ({ ...request, receivedAt: Date.now() }));
    if (known === null) return;
    const fresh = requests.filter(({ id }) => !known.some((old) => old.id === id));
    const sentences = fresh.map(({ name, check_code: code }) =>
      strings.requests.fresh(name, code === null ? null : grouped(code).join(' ')),
    );
    if (sentences.length > 0) notices.announce(sentences.join(' '));
  }

  #takeSessions(sessions: Session[]): void {
    this.sessions = sessions;
    this.history.add(sessions, clock.now);
  }
}

export const host = new Host();
