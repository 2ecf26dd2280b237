/** The audit log as one page shows it: filtered, from now back to where one has read. */

import { api } from '../api/calls';
import { ApiError } from '../api/client';
import type { AuditEntry, AuditPage } from '../api/schema';

/** The words of each group. What is in none, such as a word of a newer host, is shown when nothing is filtered. */
const KINDS = {
  all: null,
  pairing: ['armed', 'disarmed', 'window_expired', 'attempt', 'paired', 'wrong_pin'],
  requests: ['requested', 'approved', 'approved_not_compared', 'denied', 'request_expired'],
  devices: ['paired', 'approved', 'approved_not_compared', 'renamed', 'removed'],
  sessions: ['admitted', 'admitted_as_guest', 'session_ended', 'refused', 'refused_more'],
  console: [
    'console_sign_in',
    'console_sign_in_failed',
    'console_sign_in_ended',
    'console_password_changed',
    'console_link_made',
  ],
} as const satisfies Record<string, readonly string[] | null>;

export type Group = keyof typeof KINDS;
export const GROUPS = Object.keys(KINDS) as Group[];

export interface Filter {
  group: Group;
  /** A device's fingerprint; empty for all. */
  fingerprint: string;
}

/** The group of this name; all for one that is not known. */
export function groupOf(name: string | null): Group {
  return GROUPS.find((group) => group === name) ?? 'all';
}

/** Whether a line passes a filter, as the host would say. */
export function passes(entry: AuditEntry, { group, fingerprint }: Filter): boolean {
  const kinds: readonly string[] | null = KINDS[group];
  return (
    (kinds === null || kinds.includes(entry.event)) &&
    (fingerprint === '' || entry.fingerprint === fingerprint)
  );
}

/**
 * One page out of a page for each kind, `limit` lines at most. Exact: the newest `limit` lines of all kinds are among
 * the newest `limit` lines of each.
 */
export function merge(pages: readonly AuditPage[], limit: number): AuditPage {
  const entries = pages.flatMap((page) => page.entries).sort((a, b) => b.id - a.id);
  return {
    entries: entries.slice(0, limit),
    more: entries.length > limit || pages.some((page) => page.more),
  };
}

const PAGE = 50;

export class AuditLog {
  entries = $state.raw<AuditEntry[]>([]);
  more = $state(false);
  loaded = $state(false);
  busy = $state(false);
  error = $state<ApiError | null>(null);

  #filter: Filter = { group: 'all', fingerprint: '' };
  #fresh = new Set<number>();
  /** Counts the readings, so that an answer to an earlier filter is dropped. */
  #reading = 0;

  /** Shows the newest lines that pass. */
  async show(filter: Filter): Promise<void> {
    this.#filter = filter;
    this.loaded = false;
    this.entries = [];
    this.more = false;
    this.#fresh.clear();
    await this.#read(undefined);
  }

  /** Shows what came before. */
  async older(): Promise<void> {
    if (!this.busy) await this.#read(this.entries.at(-1)?.id);
  }

  /** One more line. */
  audited(entry: AuditEntry): void {
    if (!this.loaded || !passes(entry, this.#filter)) return;
    if (this.entries.some((known) => known.id === entry.id)) return;
    this.#fresh.add(entry.id);
    this.entries = [entry, ...this.entries].sort((a, b) => b.id - a.id);
  }

  /** Lines may have been missed. */
  reread(): void {
    void this.#read(undefined);
  }

  /** Whether a line came while one looked. */
  isFresh(id: number): boolean {
    return this.#fresh.has(id);
  }

  async #read(before: number | undefined): Promise<void> {
    const reading = ++this.#reading;
    this.busy = true;
    this.error = null;
    try {
      const page = await readPage(this.#filter, before);
      if (reading !== this.#reading) return;
      this.entries = before === undefined ? page.entries : [...this.entries, ...page.entries];
      this.more = page.more;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (reading === this.#reading && !error.signedOut) this.error = error;
    } finally {
      if (reading === this.#reading) this.busy = false;
    }
  }
}

/** The host filters by one kind: a group is asked for kind by kind. */
async function readPage(filter: Filter, before: number | undefined): Promise<AuditPage> {
  const fingerprint = filter.fingerprint === '' ? undefined : filter.fingerprint;
  const query = { before, fingerprint, limit: PAGE };
  const kinds = KINDS[filter.group];
  if (kinds === null) return api.audit(query);
  return merge(await Promise.all(kinds.map((kind) => api.audit({ ...query, kind }))), PAGE);
}
