/**
 * The host's event stream, kept open: a machine over `EventSource` with time and network handed in.
 *
 * `EventSource` gives up for good when it is answered with anything but 200, and does not notice a connection that
 * died without a word. So every end is treated alike: close, wait, open again after the last line that was seen.
 */

import { API } from './client';
import type { AuditEntry, Session } from './schema';

/** What can change on the host; the page fetches it again. */
export const TOPICS = ['pairing', 'requests', 'devices', 'sessions', 'sign_ins'] as const;
export type Topic = (typeof TOPICS)[number];

/** What the stream tells. */
export interface Listener {
  /** The stream is there, for the first time or again. */
  live(): void;
  /** What is shown under these topics is another now. */
  changed(topics: Topic[]): void;
  /** One more line of the audit log; never one twice. */
  audited(entry: AuditEntry): void;
  /** More lines than the host repeats were missed: read the log again. */
  missed(): void;
  /** The sessions with fresh figures. */
  figures(sessions: Session[]): void;
  /** The stream ended or could not be opened, and will be tried again: does the sign-in still hold? */
  lost(): void;
}

/** As much of `EventSource` as is used. */
export interface Source {
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** The world outside: a network and a clock. */
export interface World {
  open(url: string): Source;
  /** Calls `act` once after `ms`, unless the returned function is called before. */
  after(ms: number, act: () => void): () => void;
}

/** The host says that it is alive every 5 s; two missed and a little is a lost connection. */
export const SILENCE_MS = 12_000;
/** The first wait before another try; doubled for each further one. */
export const FIRST_WAIT_MS = 500;
/** The longest wait: the owner stands before the page and watches. */
export const LONGEST_WAIT_MS = 5_000;

export class EventStream {
  #source: Source | null = null;
  #cancelTimer: () => void = () => undefined;
  #lastId = 0;
  #failures = 0;
  #live = false;

  constructor(
    private readonly listener: Listener,
    private readonly world: World = browser,
  ) {}

  /** Opens the stream and keeps it open until {@link stop}. */
  start(): void {
    this.stop();
    this.#failures = 0;
    this.#open();
  }

  /** Closes the stream for good. Nothing is told from here on. */
  stop(): void {
    this.#close();
    this.#live = false;
  }

  #open(): void {
    const after = this.#lastId > 0 ? `?after=${this.#lastId}` : '';
    const source = this.world.open(`${API}/events${after}`);
    this.#source = source;
    const on = (type: string, take: (data: string) => void) => {
      source.addEventListener(type, (event) => {
        if (this.#source !== source) return;
        this.#heard();
        take(event.data);
      });
    };
    on('alive', () => undefined);
    on('changed', (data) =>
      this.listener.changed((JSON.parse(data) as { topics: Topic[] }).topics),
    );
    on('figures', (data) => this.listener.figures(JSON.parse(data) as Session[]));
    on('missed', () => this.listener.missed());
    on('audit', (data) => this.#audited(JSON.parse(data) as AuditEntry));
    source.addEventListener('error', () => {
      if (this.#source === source) this.#lost();
    });
    this.#watch();
  }

  #audited(entry: AuditEntry): void {
    if (entry.id <= this.#lastId) return;
    this.#lastId = entry.id;
    this.listener.audited(entry);
  }

  /** Something came: the stream is there. */
  #heard(): void {
    this.#failures = 0;
    this.#watch();
    if (this.#live) return;
    this.#live = true;
    this.listener.live();
  }

  /** Takes silence for an end. */
  #watch(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.world.after(SILENCE_MS, () => this.#lost());
  }

  #lost(): void {
    this.#close();
    const wait = Math.min(FIRST_WAIT_MS * 2 ** this.#failures, LONGEST_WAIT_MS);
    this.#failures += 1;
    this.#cancelTimer = this.world.after(wait, () => this.#open());
    this.#live = false;
    this.listener.lost();
  }

  #close(): void {
    this.#cancelTimer();
    this.#source?.close();
    this.#source = null;
  }
}

const browser: World = {
  open: (url) => new EventSource(url),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};
