/** The console's store, changed behind the back of a host that does not run: the only way to move its clock. */

import path from 'node:path';

import type { Host } from './host.ts';
import { Running } from './running.ts';

/** Makes every sign-in of a host that is down look as if its owner had last proved to be one so many minutes earlier. */
export async function ageProofs(host: Host, minutes: number): Promise<void> {
  const script = `
import sqlite3, sys
store = sqlite3.connect(sys.argv[1])
with store:
    changed = store.execute("UPDATE sign_ins SET proved_at = proved_at - ?", (int(sys.argv[2]),))
print(changed.rowcount)
store.close()`;
  const file = path.join(host.dataDir, 'console.sqlite');
  const args = ['-c', script, file, String(minutes * MINUTE)];
  const { exit, stdout, stderr } = await new Running('python3', args).finish();
  if (exit !== 0 || Number(stdout) < 1) {
    throw new Error(`no sign-in was changed: ${stdout}${stderr}`);
  }
}

/** A minute in the store's unit. */
const MINUTE = 60_000;
