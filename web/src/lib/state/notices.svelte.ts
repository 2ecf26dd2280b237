/** What just happened: notices that are seen, and announcements that are heard. */

import type { ApiError } from '../api/client';

export interface Notice {
  id: number;
  kind: 'done' | 'failed';
  message: string;
  hint: string;
}

/** How long a good word stays. A failure stays until it is dismissed. */
const DONE_MS = 6_000;
/** More than this hide what they report about. */
const MOST = 4;

class Notices {
  list = $state<Notice[]>([]);
  /** For screen readers: said when there is a pause. */
  polite = $state('');
  /** For screen readers: said at once. */
  assertive = $state('');
  #lastId = 0;

  done(message: string): void {
    const id = this.#add({ kind: 'done', message, hint: '' });
    setTimeout(() => this.dismiss(id), DONE_MS);
  }

  failed(error: ApiError): void {
    this.#add({ kind: 'failed', message: error.message, hint: error.hint });
  }

  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  announce(message: string): void {
    this.polite = message;
  }

  alarm(message: string): void {
    this.assertive = message;
  }

  clear(): void {
    this.list = [];
    this.polite = '';
    this.assertive = '';
  }

  #add(notice: Omit<Notice, 'id'>): number {
    const id = ++this.#lastId;
    this.list = [...this.list, { id, ...notice }].slice(-MOST);
    return id;
  }
}

export const notices = new Notices();
