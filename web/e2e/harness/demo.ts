/** A host with something to show on every page: devices of every kind, one that streams, and some that wait. */

import type { Client } from './client.ts';
import type { Host } from './host.ts';

/** Fills a host by real clients, each of which `make` makes. */
export async function fill(host: Host, make: (name: string) => Client): Promise<void> {
  const living = make('Living room');
  await living.pair(host.address, (await host.arm()).pin);
  const deck = make('Steam Deck');
  await deck.pair(host.address, (await host.arm()).pin);
  const laptop = make('Laptop');
  const asking = await laptop.ask(host.address, '--frames', '1');
  await approve(host, 'Laptop');
  await asking.running.finish();
  const guess = make('Phone');
  const { pin } = await host.arm();
  await guess.offer(
    host.address,
    pin.replace(/.$/, (last) => String((Number(last) + 1) % 10)),
  );

  living.stream(host.address);
  await make('Bedroom').run('connect', host.address, '--headless');
  await make('Kitchen').ask(host.address);
}

/** Approves the request of a device that waits. */
async function approve(host: Host, name: string): Promise<void> {
  const request = (await host.requests()).find((waiting) => waiting.name === name);
  if (!request) {
    throw new Error(`${name} is not waiting`);
  }
  await host.ctl('approve', String(request.id));
}
