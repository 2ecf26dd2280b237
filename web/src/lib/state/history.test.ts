import { expect, it } from 'vitest';

import type { Session } from '../api/schema';
import { FigureHistory, SPAN_MS } from './history.svelte';

const session = (id: number, fps: number | null) =>
  ({ id, figures: fps === null ? null : { fps } }) as Session;

it('keeps two minutes of each session, and nothing of one that is over', () => {
  const history = new FigureHistory();
  for (let at = 0; at <= SPAN_MS + 5_000; at += 1_000)
    history.add([session(1, 60), session(2, 30)], at);
  expect(history.of(1).length).toBe(SPAN_MS / 1_000);
  history.add([session(2, 30)], SPAN_MS + 6_000);
  expect(history.of(1)).toEqual([]);
  expect(history.of(2).length).toBe(SPAN_MS / 1_000);
});

it('draws nothing for a session without figures', () => {
  const history = new FigureHistory();
  history.add([session(1, null)], 0);
  expect(history.of(1)).toEqual([]);
});
