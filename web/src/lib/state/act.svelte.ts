/** Something that the owner does: once at a time, however often it is clicked, and never failing in silence. */

import { ApiError } from '../api/client';
import { notices } from './notices.svelte';
import { proof } from './proof.svelte';

export class Act {
  /** Whether it is being done. */
  busy = $state(false);
  /** Why it was not done, last time. */
  error = $state<ApiError | null>(null);

  /** `beside`: the error is shown beside the control, by whoever reads {@link error}. Otherwise it is a notice. */
  constructor(private readonly beside: 'beside' | 'notice' = 'notice') {}

  /** Does it, asking for the password where that is needed. `undefined` if it was not done. */
  async run<Answer>(work: () => Promise<Answer>): Promise<Answer | undefined> {
    if (this.busy) return undefined;
    this.busy = true;
    this.error = null;
    try {
      return await proof.with(work);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.signedOut || error.code === 'not_proved') return undefined;
      if (this.beside === 'beside') this.error = error;
      else notices.failed(error);
      return undefined;
    } finally {
      this.busy = false;
    }
  }
}
