/** A program that runs, what it says, and its certain end. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import path from 'node:path';

/** The longest that anything here may take: far more than it does on an idle machine, for a busy one. */
export const PATIENCE_MS = 30_000;

/** The path of one of the project's programs. */
export function program(name: string): string {
  const folder = process.env['PF_BIN_DIR'];
  if (!folder) {
    throw new Error('PF_BIN_DIR must name the folder with the built programs');
  }
  return path.join(folder, name);
}

/** How a program is started. */
export interface Start {
  /** Variables of its environment, besides ours. */
  env?: Record<string, string>;
  /** What it reads; nothing unless given. */
  input?: Buffer;
  /** Where it runs; here unless given. */
  cwd?: string;
}

/** How a command ended, and all that it said. */
export interface Outcome {
  /** Its exit code; 128 and the signal where one ended it. */
  exit: number;
  stdout: string;
  stderr: string;
}

export class Running {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #line: string;
  #exit: number | undefined;
  #wake: () => void = () => undefined;

  constructor(file: string, args: readonly string[], start: Start = {}) {
    this.#line = [path.basename(file), ...args].join(' ');
    this.#child = spawn(file, args, { cwd: start.cwd, env: { ...process.env, ...start.env } });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#wake();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#wake();
    });
    // After `close` there is no more to read, which `exit` does not promise.
    this.#child.on('close', (code, signal) => {
      this.#exit = code ?? 128 + (signal ? constants.signals[signal] : 0);
      this.#wake();
    });
    this.#child.on('error', (error) => {
      this.stderr += String(error);
      this.#exit = 127;
      this.#wake();
    });
    // A program that ends before it has read everything is no fault of ours.
    this.#child.stdin?.on('error', () => undefined).end(start.input);
  }

  /** Its process id. */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) {
      throw new Error(`${this.#line} did not start: ${this.stderr}`);
    }
    return pid;
  }

  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  /** What `find` finds in what it says, now or later; a failure when it ends before, or when it never does. */
  async hear<T>(what: string, find: (self: Running) => T | undefined): Promise<T> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = find(this);
      if (found !== undefined) {
        return found;
      }
      const left = deadline - Date.now();
      if (!this.isRunning || left <= 0) {
        throw new Error(
          `${this.#line}: in vain waited for ${what}; exit ${this.#exit}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`,
        );
      }
      await this.#next(left);
    }
  }

  /** Waits for its end, for so many milliseconds. */
  async finish(patience = PATIENCE_MS): Promise<Outcome> {
    const deadline = Date.now() + patience;
    while (this.#exit === undefined) {
      const left = deadline - Date.now();
      if (left <= 0) {
        throw new Error(`${this.#line} does not end\n${this.stdout}\n${this.stderr}`);
      }
      await this.#next(left);
    }
    return { exit: this.#exit, stdout: this.stdout, stderr: this.stderr };
  }

  /** Asks it to end. */
  terminate(): void {
    this.#signal('SIGTERM');
  }

  /** Ends it at once: it can clean up nothing. */
  async kill(): Promise<void> {
    if (this.isRunning) {
      const closed = once(this.#child, 'close');
      this.#signal('SIGKILL');
      await closed;
    }
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.isRunning) {
      this.#child.kill(signal);
    }
  }

  /** Waits until something is said or the program ends, or some milliseconds have passed. */
  async #next(limit: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, limit);
    });
    clearTimeout(timer);
    this.#wake = () => undefined;
  }
}

/** The `data` of a command that went well; the whole outcome as a failure when it did not. */
export function dataOf<T>(outcome: Outcome): T {
  if (outcome.exit !== 0) {
    throw new Error(`exit ${outcome.exit}\n${outcome.stdout}\n${outcome.stderr}`);
  }
  return (JSON.parse(outcome.stdout) as { data: T }).data;
}

/** The code of a command that failed, in words. */
export function codeOf(outcome: Outcome): string {
  return (JSON.parse(outcome.stdout) as { error: { code: string } }).error.code;
}

/** What `look` comes to give, asked again and again until it gives something. */
export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) {
      return found;
    }
    if (Date.now() > deadline) {
      throw new Error(`in vain waited for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
