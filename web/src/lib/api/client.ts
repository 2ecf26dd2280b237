/**
 * One call to the host's API: what was sent, and either the answer or an {@link ApiError} that a person can read.
 */

import { strings } from '../strings';

/** Where the API is. */
export const API = '/api/v1';

/** How long an answer may take. Approving and password checks take under a second. */
const PATIENCE_MS = 15_000;

/** Why a call came to nothing: in one sentence what happened, in another what to do. */
export class ApiError extends Error {
  constructor(
    /** The HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** A word for programs, such as `proof_needed`. */
    readonly code: string,
    message: string,
    readonly hint: string,
    /** After how many seconds it is worth another try, where waiting helps. */
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** Whether this sign-in is over. */
  get signedOut(): boolean {
    return this.status === 401 && this.code === 'signed_out';
  }
}

let signedOut: () => void = () => undefined;

/** Has `act` called whenever an answer says that this sign-in is over. */
export function onSignedOut(act: () => void): void {
  signedOut = act;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * Calls the API. `path` starts with a slash and is below {@link API}.
 *
 * @throws {ApiError} and nothing else.
 */
export async function call<Answer>(method: Method, path: string, body?: object): Promise<Answer> {
  const init: RequestInit = {
    method,
    credentials: 'same-origin',
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(PATIENCE_MS),
  };
  if (body !== undefined) {
    init.headers = { 'Content-Type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(API + path, init);
    text = await response.text();
  } catch {
    throw new ApiError(
      0,
      'unreachable',
      strings.errors.unreachable,
      strings.errors.unreachableHint,
    );
  }
  const answer = parse(text);
  if (!response.ok) {
    const error = refusal(response, answer);
    if (error.signedOut) signedOut();
    throw error;
  }
  if (text !== '' && answer === undefined) throw unreadable(response.status);
  return answer as Answer;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(response: Response, answer: unknown): ApiError {
  if (typeof answer !== 'object' || answer === null) return unreadable(response.status);
  const { code, message, hint, retry_after_s } = answer as Record<string, unknown>;
  if (typeof code !== 'string' || typeof message !== 'string') return unreadable(response.status);
  return new ApiError(
    response.status,
    code,
    message,
    typeof hint === 'string' ? hint : '',
    typeof retry_after_s === 'number' ? retry_after_s : null,
  );
}

function unreadable(status: number): ApiError {
  return new ApiError(
    status,
    'unreadable',
    strings.errors.unreadable(status),
    strings.errors.unreadableHint,
  );
}
