/**
 * The API, held against its own document by schemathesis, on a host that runs, with a sign-in that may do everything.
 *
 * What a script relies on is what the document says: no answer that it does not name, no field of another shape, and
 * nothing that makes the host fail, whatever is sent.
 */

import { writeFileSync } from 'node:fs';

import { fill } from '../harness/demo.ts';
import type { Host } from '../harness/host.ts';
import { Running } from '../harness/running.ts';
import { expect, test } from '../harness/test.ts';

/** Another seed asks other questions; one that is fixed gives a change of the code the blame for a failure. */
const SEED = '20261122';

/** How many questions are made up for each operation. */
const EXAMPLES = '25';

/** What is left out, each with why. */
const EXCLUDED = [
  // Ends the sign-in that asks, as it should.
  'DELETE /api/v1/sign-in',
  // Ends sign-ins by numbers that are easily guessed: also the one that asks.
  'DELETE /api/v1/sign-ins/{id}',
  // Never ends: it is tested by following it.
  'GET /api/v1/events',
];

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];

/** Names of what there is on the host: without them, made-up numbers would be answered "no such" and nothing else. */
async function realNames(host: Host): Promise<string> {
  const [removed, renamed] = await host.devices();
  const [approved, denied] = await host.requests();
  const [session] = await host.sessions();
  const parameters = {
    'DELETE /api/v1/devices/{fingerprint}': ['fingerprint', removed?.fingerprint],
    'PATCH /api/v1/devices/{fingerprint}': ['fingerprint', renamed?.fingerprint],
    'POST /api/v1/requests/{id}/approve': ['id', approved?.id],
    'POST /api/v1/requests/{id}/deny': ['id', denied?.id],
    'DELETE /api/v1/sessions/{id}': ['id', session?.id],
  };
  return Object.entries(parameters)
    .map(([operation, [parameter, value]]) => {
      expect(value, operation).toBeDefined();
      const name = JSON.stringify(operation);
      return `[[operations]]\ninclude-name = ${name}\nparameters = { "path.${parameter}" = ${JSON.stringify(value)} }\n`;
    })
    .join('\n');
}

test('R8: the API answers as its document says, whatever it is asked', async ({
  host,
  client,
}, testInfo) => {
  const api = await host.api();
  await fill(host, client);
  const config = testInfo.outputPath('schemathesis.toml');
  writeFileSync(config, await realNames(host));
  const { exit, stdout, stderr } = await new Running(
    process.env['PF_SCHEMATHESIS'] ?? 'schemathesis',
    [
      ...['--config-file', config, 'run', `${host.origin}/api/v1/openapi.json`],
      ...['--url', host.origin, '--tls-verify', 'false', '--no-color'],
      ...['--header', `Cookie: ${api.cookie}`, '--header', `Origin: ${host.origin}`],
      ...EXCLUDED.flatMap((name) => ['--exclude-name', name]),
      ...['--checks', CHECKS.join(','), '--phases', 'examples,coverage,fuzzing'],
      ...['--max-examples', EXAMPLES, '--seed', SEED, '--generation-database', 'none'],
      ...['--workers', '2', '--request-timeout', '10'],
    ],
    // It leaves files where it runs.
    { cwd: testInfo.outputDir },
  ).finish(120_000);
  const findings = /^=+ (FAILURES|ERRORS) =+$/m.exec(stdout);
  expect(exit, stdout.slice(findings?.index ?? 0) + stderr).toBe(0);
  // It has not ended its own sign-in half-way, and asked the rest as a stranger.
  expect((await api.ask('status')).status).toBe(200);
  // What it did has had its effect: it did not only ask for what is not there.
  const events = (await host.audit()).map(({ event }) => event);
  expect(events).toEqual(
    expect.arrayContaining(['removed', 'renamed', 'approved_not_compared', 'denied']),
  );
});
