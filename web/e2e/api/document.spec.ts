/**
 * The API, held against its own document by schemathesis, on a host that runs, with a sign-in that may do everything.
 *
 * What a script relies on is what the document says: no answer that it does not name, no field of another shape, and
 * nothing that makes the host fail, whatever is sent.
 */

import { Running } from '../harness/running.ts';
import { fill } from '../harness/demo.ts';
import { expect, test } from '../harness/test.ts';

/** Another seed asks other questions; one that is fixed gives a change of the code the blame for a failure. */
const SEED = '20261122';

/** What is left out, each with why. */
const EXCLUDED = [
  // Ends the sign-in that asks, as it should.
  'DELETE /api/v1/sign-in',
  // Ends sign-ins by numbers that are easily guessed: also the one that asks.
  'DELETE /api/v1/sign-ins/{id}',
  // Never ends: it is tested by following it.
  'GET /api/v1/events',
];

test('R8: the API answers as its document says, whatever it is asked', async ({ host, client }) => {
  const api = await host.api();
  await fill(host, client);
  const { exit, stdout, stderr } = await new Running(
    process.env['PF_SCHEMATHESIS'] ?? 'schemathesis',
    [
      'run',
      `${host.origin}/api/v1/openapi.json`,
      ...['--url', host.origin, '--tls-verify', 'false', '--no-color'],
      ...['--header', `Cookie: ${api.cookie}`, '--header', `Origin: ${host.origin}`],
      ...EXCLUDED.flatMap((name) => ['--exclude-name', name]),
      ...['--checks', CHECKS.join(',')],
      ...['--phases', 'examples,coverage,fuzzing', '--max-examples', '25', '--seed', SEED],
      ...['--generation-database', 'none', '--workers', '2', '--request-timeout', '10'],
    ],
  ).finish();
  expect(exit, stdout + stderr).toBe(0);
  // It has not ended its own sign-in half-way, and asked the rest as a stranger.
  expect((await api.ask('status')).status).toBe(200);
});

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];
