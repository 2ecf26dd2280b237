/** How fast the console is, as rows of a table for `docs/benchmarks.md`. Nothing here fails for being slow. */

import { readFileSync, readdirSync } from 'node:fs';
import { Agent } from 'node:https';
import { cpus, loadavg, release } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { gzipSync } from 'node:zlib';

import { type Api, ask } from '../harness/api.ts';
import { knock } from '../harness/stranger.ts';
import { expect, test } from '../harness/test.ts';

const PAGE = path.resolve(import.meta.dirname, '../../../crates/pf-console/page');

const KNOCKS = 20;
const DEVICES = 100;
const AUDIT_LINES = 10_000;
const RATE = 100;
const SECONDS = 20;

const rows: string[] = [];

/** Notes a row, and shows it at once: the next one may take minutes. */
function row(what: string, figure: string): void {
  rows.push(`| ${what} | ${figure} |`);
  say(rows.at(-1) ?? '');
}

/** The sample below which so many percent of the others lie. */
function percentile(samples: number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor((sorted.length * percent) / 100), sorted.length - 1)] ?? NaN;
}

/** Says something to whoever measures. */
function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const ms = (value: number) => `${value.toFixed(1)} ms`;

/** The memory that a process has in use. */
function memory(pid: number): string {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return `${(Number(kib) / 1024).toFixed(1)} MiB`;
}

test.afterAll(() => {
  const load = loadavg().map((value) => value.toFixed(2));
  say(`\n| figure | measured |\n| --- | ---: |\n${rows.join('\n')}`);
  say(
    `\n${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}; load averages at the end: ${load.join(', ')}.`,
  );
});

test('what the page weighs', () => {
  const files = readdirSync(PAGE, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  let total = 0;
  for (const kind of ['.html', '.js', '.css', '.woff2', '.svg']) {
    const of = files.filter(({ name }) => name.endsWith(kind));
    const bytes = of.map((file) => readFileSync(path.join(file.parentPath, file.name)));
    // Fonts are compressed in themselves.
    const sizes = bytes.map((file) => (kind === '.woff2' ? file.length : gzipSync(file).length));
    const size = sizes.reduce((sum, one) => sum + one, 0);
    total += size;
    row(`page: ${of.length} ${kind.slice(1)}, gzipped`, `${(size / 1024).toFixed(1)} KiB`);
  }
  row('page: all', `${(total / 1024).toFixed(1)} KiB`);
});

test('memory of a host that idles', async ({ host, visitor }) => {
  row('memory of the host before anybody signs in', memory(host.pid));
  await visitor.open();
  await visitor.signInByPassword(host.password);
  await visitor.live();
  row('the same with one sign-in and its page open', memory(host.pid));
});

test('from the knock on the wire to the card on the screen', async ({ host, owner }) => {
  await owner.live();
  const took: number[] = [];
  for (let knocks = 0; knocks < KNOCKS; knocks++) {
    const name = `knock ${knocks}`;
    // The first frame that is painted with the card in it.
    const shown = owner.page.evaluate(
      (wanted) =>
        new Promise<number>((resolve) => {
          const look = () => {
            const cards = [...document.querySelectorAll('article h3')];
            if (cards.some(({ textContent }) => textContent === wanted)) {
              requestAnimationFrame(() => resolve(performance.timeOrigin + performance.now()));
            } else {
              requestAnimationFrame(look);
            }
          };
          look();
        }),
      name,
    );
    const { knocked_at_us, answer } = await knock(host.address, name);
    expect(answer).toBe('left');
    took.push((await shown) - knocked_at_us / 1000);
    const [request] = await host.requests();
    await host.ctl('deny', String(request?.id));
    await expect(owner.request(name)).toHaveCount(0);
  }
  row(`knock on the wire to card on the screen (p50 of ${KNOCKS})`, ms(percentile(took, 50)));
  row(`knock on the wire to card on the screen (p95 of ${KNOCKS})`, ms(percentile(took, 95)));
});

test('the API of a host that has been busy', async ({ host, client }) => {
  const api = await host.api();
  for (let devices = 0; devices < DEVICES; devices++) {
    await client(`device ${devices}`).pair(host.address, (await host.arm()).pin);
  }
  // A rename is a line of the audit log that nothing takes out again.
  const [device] = await host.devices();
  for (let id = 0; id < AUDIT_LINES; id = (await host.audit())[0]?.id ?? 0) {
    const renames = Array.from(
      { length: Math.min(500, AUDIT_LINES - id) },
      (_, n) => `name ${id + n}`,
    );
    for (const label of renames) {
      await api.ask(`devices/${device?.fingerprint}`, { method: 'PATCH', body: { label } });
    }
  }
  row(
    `memory of the host with ${DEVICES} devices and ${AUDIT_LINES} audit lines`,
    memory(host.pid),
  );
  for (const route of ['status', 'devices', 'audit?limit=50', 'audit?limit=1000']) {
    const took = await steadily(api, route);
    row(`GET /${route}, ${RATE} a second (p50)`, ms(percentile(took, 50)));
    row(`GET /${route}, ${RATE} a second (p99)`, ms(percentile(took, 99)));
  }
});

/**
 * How long the answers take, in milliseconds, when they are asked for at a steady rate, whether or not the last one is
 * there: a host that falls behind shows it.
 */
async function steadily(api: Api, route: string): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });
  const start = performance.now();
  const answers: Promise<number>[] = [];
  for (let asked = 0; asked < RATE * SECONDS; asked++) {
    const due = start + (asked * 1000) / RATE;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    answers.push(
      ask(`${api.origin}/api/v1/${route}`, { headers: { cookie: api.cookie }, agent }).then(
        ({ status }) => {
          expect(status).toBe(200);
          return performance.now() - due;
        },
      ),
    );
  }
  const took = await Promise.all(answers);
  agent.destroy();
  return took;
}
