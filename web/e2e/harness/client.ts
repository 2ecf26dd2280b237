/** An install of the client program, in a folder of its own. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { type Outcome, Running, dataOf, program } from './running.ts';

export class Client {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'pf-browser-client-'));
  readonly #started: Running[] = [];

  /** `name` is what its device calls itself. */
  constructor(readonly name: string) {}

  /** The fingerprint by which hosts know it. */
  async fingerprint(): Promise<string> {
    return dataOf<{ fingerprint: string }>(await this.run('identity')).fingerprint;
  }

  /** Runs a command to its end. */
  run(...args: string[]): Promise<Outcome> {
    return this.start(...args).finish();
  }

  /** Starts a command. */
  start(...args: string[]): Running {
    const place = ['--data-dir', path.join(this.#folder, 'data'), '--name', this.name];
    const running = new Running(program('punktfunk'), [...place, '--json', ...args]);
    this.#started.push(running);
    return running;
  }

  /** Pairs by PIN, which must go well. */
  async pair(address: string, pin: string): Promise<void> {
    dataOf(await this.run('pair', address, '--pin', pin));
  }

  /** Offers a PIN, whatever comes of it. */
  offer(address: string, pin: string): Promise<Outcome> {
    return this.run('pair', address, '--pin', pin);
  }

  /** Asks for access, and waits for the owner: with the check code that it shows. */
  async ask(address: string, ...more: string[]): Promise<{ running: Running; code: string }> {
    const running = this.start('connect', address, '--headless', '--wait', ...more);
    const code = await running.hear('a check code', ({ stderr }) => CHECK_CODE.exec(stderr)?.[1]);
    return { running, code: code.replace(' ', '') };
  }

  /** Streams until it is ended. */
  stream(address: string): Running {
    return this.start('connect', address, '--headless');
  }

  /** Ends all that it runs, and takes its folder away. */
  async cleanedUp(): Promise<void> {
    await Promise.all(this.#started.map((running) => running.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const CHECK_CODE = /Check code +(\d{3} ?\d{3})\n/;
