/** A device that leaves a request under any name, byte for byte. */

import { Running, program } from './running.ts';

/** What became of a knock. */
export interface Knock {
  /** When it went out, in microseconds since 1970. */
  knocked_at_us: number;
  fingerprint: string;
  /** `left`, or the word of the code with which the host refused. */
  answer: string;
}

/** Knocks once, with a fresh identity, under this name. */
export async function knock(address: string, name: Buffer | string): Promise<Knock> {
  const input = Buffer.isBuffer(name) ? name : Buffer.from(name);
  const { exit, stdout, stderr } = await new Running(program('pf-stranger'), [address], {
    input,
  }).finish();
  if (exit !== 0) {
    throw new Error(`pf-stranger: exit ${exit}\n${stderr}`);
  }
  return JSON.parse(stdout) as Knock;
}
