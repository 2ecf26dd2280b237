import { beforeEach, describe, expect, it } from 'vitest';

import {
  EventStream,
  FIRST_WAIT_MS,
  LONGEST_WAIT_MS,
  SILENCE_MS,
  type Source,
  type World,
} from './events';

/** A network and a clock that do only what the test says. */
class Bench implements World {
  urls: string[] = [];
  told: string[] = [];
  #now = 0;
  #timers = new Map<number, { at: number; act: () => void }>();
  #count = 0;
  #sources: Fake[] = [];

  open(url: string): Source {
    const source = new Fake();
    this.urls.push(url);
    this.#sources.push(source);
    return source;
  }

  after(ms: number, act: () => void): () => void {
    const id = ++this.#count;
    this.#timers.set(id, { at: this.#now + ms, act });
    return () => this.#timers.delete(id);
  }

  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers]
        .filter(([, { at }]) => at <= end)
        .sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].act();
    }
    this.#now = end;
  }

  get source(): Fake {
    const source = this.#sources.at(-1);
    if (source === undefined) throw new Error('nothing was opened');
    return source;
  }

  get opened(): number {
    return this.#sources.filter((source) => !source.closed).length;
  }
}

class Fake implements Source {
  closed = false;
  #listeners = new Map<string, (event: MessageEvent<string>) => void>();

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, listener);
  }

  close(): void {
    this.closed = true;
  }

  send(type: string, data: unknown = {}): void {
    this.#listeners.get(type)?.({ data: JSON.stringify(data) } as MessageEvent<string>);
  }
}

describe('the event stream', () => {
  let bench: Bench;
  let stream: EventStream;

  beforeEach(() => {
    bench = new Bench();
    const told = bench.told;
    stream = new EventStream(
      {
        live: () => told.push('live'),
        lost: () => told.push('lost'),
        changed: (topics) => told.push(`changed ${topics.join()}`),
        audited: (entry) => told.push(`audited ${entry.id}`),
        missed: () => told.push('missed'),
        figures: (sessions) => told.push(`figures ${sessions.length}`),
      },
      bench,
    );
    stream.start();
  });

  const line = (id: number) => ({ id, at: '2026-01-01T00:00:00Z', event: 'armed' });

  it('is live once the host says something, and says so once', () => {
    expect(bench.told).toEqual([]);
    bench.source.send('changed', { topics: ['pairing'] });
    bench.source.send('alive');
    expect(bench.told).toEqual(['live', 'changed pairing']);
  });

  it('takes a host that is silent for lost', () => {
    bench.source.send('alive');
    bench.pass(SILENCE_MS - 1);
    expect(bench.told).toEqual(['live']);
    bench.pass(1);
    expect(bench.told).toEqual(['live', 'lost']);
    expect(bench.opened).toBe(0);
  });

  it('is not lost while the host says that it is alive', () => {
    for (let i = 0; i < 10; i++) {
      bench.pass(SILENCE_MS - 1);
      bench.source.send('alive');
    }
    expect(bench.told).toEqual(['live']);
  });

  it('waits longer after each failure, up to a limit, and is impatient again after a success', () => {
    const waits = [];
    for (let i = 0; i < 6; i++) {
      const before = bench.urls.length;
      bench.source.send('error');
      let waited = 0;
      while (bench.urls.length === before) {
        bench.pass(FIRST_WAIT_MS);
        waited += FIRST_WAIT_MS;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, LONGEST_WAIT_MS, LONGEST_WAIT_MS]);
    bench.source.send('alive');
    const before = bench.urls.length;
    bench.source.send('error');
    bench.pass(FIRST_WAIT_MS);
    expect(bench.urls.length).toBe(before + 1);
  });

  it('goes on after the last line that it saw', () => {
    bench.source.send('audit', line(41));
    bench.source.send('audit', line(42));
    bench.source.send('error');
    bench.pass(FIRST_WAIT_MS);
    expect(bench.urls).toEqual(['/api/v1/events', '/api/v1/events?after=42']);
  });

  it('tells no line twice', () => {
    bench.source.send('audit', line(41));
    bench.source.send('error');
    bench.pass(FIRST_WAIT_MS);
    bench.source.send('audit', line(41));
    bench.source.send('audit', line(42));
    expect(bench.told.filter((word) => word.startsWith('audited'))).toEqual([
      'audited 41',
      'audited 42',
    ]);
  });

  it('does not listen to a connection that it gave up', () => {
    const old = bench.source;
    old.send('error');
    bench.pass(FIRST_WAIT_MS);
    old.send('audit', line(7));
    old.send('error');
    expect(bench.told).toEqual(['lost']);
    expect(bench.opened).toBe(1);
  });

  it('stays closed when it is stopped, also while it waits', () => {
    bench.source.send('error');
    stream.stop();
    bench.pass(60_000);
    expect(bench.urls.length).toBe(1);
    expect(bench.opened).toBe(0);
  });
});
