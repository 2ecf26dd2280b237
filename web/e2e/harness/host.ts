/** A host program that runs, with a console, on loopback and in a folder of its own. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { AuditEntry, Device, Request, Session, Window } from '../../src/lib/api/schema.ts';
import { Api } from './api.ts';
import { type Outcome, Running, dataOf, program } from './running.ts';

/** What a host is started with, besides what every test needs. */
export interface HostSetup {
  args?: string[];
  env?: Record<string, string>;
}

/** What `serve --json` prints once the host is up. */
interface Introduction {
  fingerprint: string;
  fingerprint_shown: string;
  port: number;
  console: {
    url: string;
    certificate_sha256: string;
    link: string;
    /** At the first start only. */
    password?: string;
  };
}

export class Host {
  readonly #folder: string;
  readonly #setup: HostSetup;
  #process: Running;
  #introduction: Introduction;
  #password: string;
  /** What earlier processes of this host said. */
  #before = '';

  private constructor(folder: string, setup: HostSetup, up: Up) {
    this.#folder = folder;
    this.#setup = setup;
    this.#process = up.process;
    this.#introduction = up.introduction;
    this.#password = up.introduction.console.password ?? '';
  }

  /** Starts one, and waits until it is up. */
  static async start(setup: HostSetup = {}): Promise<Host> {
    const folder = mkdtempSync(path.join(tmpdir(), 'pf-browser-host-'));
    try {
      return new Host(folder, setup, await serve(folder, setup, 0));
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Where clients find it, as a person types it. */
  get address(): string {
    return `127.0.0.1:${this.#introduction.port}`;
  }

  /** The console's origin. */
  get origin(): string {
    return `https://${this.address}`;
  }

  get fingerprint(): string {
    return this.#introduction.fingerprint;
  }

  get introduction(): Introduction {
    return this.#introduction;
  }

  /** The console's password: the generated one, until a test changes it. */
  get password(): string {
    return this.#password;
  }

  set password(password: string) {
    this.#password = password;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Where its identity and store are. */
  get dataDir(): string {
    return path.join(this.#folder, 'data');
  }

  /** All that it has said, on both streams, its earlier lives included. */
  get said(): string {
    return this.#before + this.#process.stdout + this.#process.stderr;
  }

  /** What it printed of itself for the owner, secrets included. */
  get introductionLine(): string {
    return this.#process.stdout.split('\n')[0] ?? '';
  }

  /** The link that was printed at the start, as the browser opens it here. */
  get link(): string {
    return this.here(this.#introduction.console.link);
  }

  /** Makes another link. */
  async freshLink(): Promise<string> {
    return this.here((await this.ctl<{ link: string }>('console-url')).link);
  }

  /** A link of this host, at the address that the tests use. */
  here(link: string): string {
    return `${this.origin}/${new URL(link).hash}`;
  }

  /** The data of a control command that goes well. */
  async ctl<T>(...args: string[]): Promise<T> {
    return dataOf<T>(await this.tryCtl(...args));
  }

  /** Runs a control command, as the owner would at the machine. */
  tryCtl(...args: string[]): Promise<Outcome> {
    const ctl = ['ctl', '--json', '--data-dir', this.dataDir, ...args];
    return new Running(program('punktfunk-host'), ctl).finish();
  }

  async arm(...args: string[]): Promise<Window> {
    return this.ctl<Window>('arm', ...args);
  }

  async devices(): Promise<Device[]> {
    return (await this.ctl<{ devices: Device[] }>('devices')).devices;
  }

  async requests(): Promise<Request[]> {
    return (await this.ctl<{ requests: Request[] }>('requests')).requests;
  }

  async sessions(): Promise<Session[]> {
    return (await this.ctl<{ sessions: Session[] }>('sessions')).sessions;
  }

  /** The newest thousand lines of the audit log, newest first. */
  async audit(): Promise<AuditEntry[]> {
    return (await this.ctl<{ entries: AuditEntry[] }>('audit', '--limit', '1000')).entries;
  }

  /** A sign-in of its own, by a link, that makes requests without a browser. */
  async api(): Promise<Api> {
    return Api.signIn(this.origin, await this.freshLink());
  }

  /** Ends it as a power cut would. */
  async killed(): Promise<void> {
    await this.#process.kill();
  }

  /** Ends it as an owner would. */
  async stopped(): Promise<Outcome> {
    this.#process.terminate();
    return this.#process.finish();
  }

  /** Starts it again after its end, with the same data and on the same port. */
  async startedAgain(): Promise<void> {
    this.#before = this.said;
    const up = await serve(this.#folder, this.#setup, this.#introduction.port);
    this.#process = up.process;
    this.#introduction = up.introduction;
  }

  /** Ends it for good, and takes its folder away. */
  async cleanedUp(): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A process that is up, and what it said of itself. */
interface Up {
  process: Running;
  introduction: Introduction;
}

async function serve(folder: string, setup: HostSetup, port: number): Promise<Up> {
  const args = ['serve', '--json', '--no-mdns', '--bind', '127.0.0.1', '--name', 'desk'];
  args.push('--source', 'synthetic', '--console-bind', '127.0.0.1', '--port', String(port));
  args.push('--data-dir', path.join(folder, 'data'), ...(setup.args ?? []));
  const start = setup.env ? { env: setup.env } : {};
  const process = new Running(program('punktfunk-host'), args, start);
  const introduction = await process.hear('its introduction', ({ stdout }) => {
    const line = stdout.includes('\n') ? stdout.slice(0, stdout.indexOf('\n')) : undefined;
    return line === undefined ? undefined : (JSON.parse(line) as { data: Introduction }).data;
  });
  return { process, introduction };
}
