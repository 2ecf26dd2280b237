/** Whether this browser is signed in, and how it comes and goes. */

import { api } from '../api/calls';
import { ApiError } from '../api/client';
import { linkToken } from '../link';
import { host } from './host.svelte';
import { notices } from './notices.svelte';
import { proof } from './proof.svelte';

/** Why the sign-in page is shown, where there is something to say. */
export type Farewell = 'ended' | 'left' | 'link' | null;

class Account {
  phase = $state<'starting' | 'link' | 'out' | 'in'>('starting');
  farewell = $state<Farewell>(null);
  /** Why the page could not even ask. */
  error = $state<ApiError | null>(null);

  /** Finds out, or signs in by the link in the address bar. */
  async start(): Promise<void> {
    this.error = null;
    if (await this.followLink()) return;
    try {
      await api.signIn();
      this.#enter();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!error.signedOut) this.error = error;
      this.phase = 'out';
    }
  }

  /** Takes a sign-in link out of the address bar and spends it. False if there is none. */
  async followLink(): Promise<boolean> {
    const link = linkToken(location.hash);
    if (link === null) return false;
    history.replaceState(null, '', location.pathname);
    host.leave();
    this.phase = 'link';
    this.error = null;
    this.farewell = null;
    try {
      await api.signInWithLink(link);
      this.#enter();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 'link_used') this.farewell = 'link';
      else this.error = error;
      this.phase = 'out';
    }
    return true;
  }

  /** @throws {ApiError} for the form to show. */
  async signIn(password: string): Promise<void> {
    await api.signInWithPassword(password);
    this.#enter();
  }

  async signOut(): Promise<void> {
    await api.signOut();
    this.#leave('left');
  }

  /** The host says that this sign-in is over. */
  ended(): void {
    if (this.phase === 'in') this.#leave('ended');
  }

  /** Another tab may have signed in meanwhile. */
  async look(): Promise<void> {
    if (this.phase !== 'out') return;
    try {
      await api.signIn();
      if (this.phase === 'out') this.#enter();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #enter(): void {
    this.farewell = null;
    this.error = null;
    this.phase = 'in';
    host.enter(() => this.ended());
  }

  #leave(farewell: Farewell): void {
    host.leave();
    proof.cancel();
    notices.clear();
    this.farewell = farewell;
    this.phase = 'out';
  }
}

export const account = new Account();
