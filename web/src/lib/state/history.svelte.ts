/** The figures of the last two minutes of each session, for the plots. */

import type { Figures, Session } from '../api/schema';

/** How far back the plots reach. */
export const SPAN_MS = 120_000;

export interface Sample {
  at: number;
  figures: Figures;
}

export class FigureHistory {
  #samples = $state.raw<ReadonlyMap<number, readonly Sample[]>>(new Map());

  /** Adds the figures of this moment, and forgets sessions that are over. */
  add(sessions: readonly Session[], now: number): void {
    const samples = new Map<number, readonly Sample[]>();
    for (const { id, figures } of sessions) {
      const kept = this.of(id).filter((sample) => sample.at > now - SPAN_MS);
      samples.set(id, figures === null ? kept : [...kept, { at: now, figures }]);
    }
    this.#samples = samples;
  }

  of(session: number): readonly Sample[] {
    return this.#samples.get(session) ?? [];
  }

  clear(): void {
    this.#samples = new Map();
  }
}
