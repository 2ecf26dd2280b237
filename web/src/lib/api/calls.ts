/** What the API can do, one function for each thing. Each throws {@link ApiError} and nothing else. */

import { call } from './client';
import type {
  Approve,
  Approved,
  Arm,
  AuditPage,
  Device,
  GivenPassword,
  NewPassword,
  Pairing,
  Removed,
  Rename,
  Request,
  Session,
  SignIn,
  SignInLink,
  SigningIn,
  Status,
  Window,
} from './schema';

/** Which lines of the audit log to read. */
export interface AuditQuery {
  before?: number | undefined;
  kind?: string | undefined;
  fingerprint?: string | undefined;
  limit: number;
}

export const api = {
  signInWithPassword: (password: string) =>
    call<SignIn>('POST', '/sign-in', { password } satisfies SigningIn),
  signInWithLink: (link: string) => call<SignIn>('POST', '/sign-in', { link } satisfies SigningIn),
  signIn: () => call<SignIn>('GET', '/sign-in'),
  signOut: () => call<undefined>('DELETE', '/sign-in'),
  prove: (password: string) => call<SignIn>('POST', '/proof', { password } satisfies GivenPassword),

  status: () => call<Status>('GET', '/status'),

  pairing: () => call<Pairing>('GET', '/pairing'),
  arm: (body: Arm) => call<Window>('POST', '/pairing/window', body),
  disarm: () => call<undefined>('DELETE', '/pairing/window'),

  requests: () => call<Request[]>('GET', '/requests'),
  approve: (id: number, label: string) =>
    call<Approved>(
      'POST',
      `/requests/${id}/approve`,
      (label === '' ? {} : { label }) satisfies Approve,
    ),
  deny: (id: number) => call<undefined>('POST', `/requests/${id}/deny`),

  devices: () => call<Device[]>('GET', '/devices'),
  rename: (fingerprint: string, label: string) =>
    call<Device>('PATCH', `/devices/${fingerprint}`, { label } satisfies Rename),
  remove: (fingerprint: string) => call<Removed>('DELETE', `/devices/${fingerprint}`),

  sessions: () => call<Session[]>('GET', '/sessions'),
  endSession: (id: number) => call<undefined>('DELETE', `/sessions/${id}`),

  audit: (query: AuditQuery) => call<AuditPage>('GET', `/audit?${search(query)}`),

  signIns: () => call<SignIn[]>('GET', '/sign-ins'),
  endSignIn: (id: SignIn['id']) => call<undefined>('DELETE', `/sign-ins/${id}`),
  makeLink: () => call<SignInLink>('POST', '/sign-in-links', {}),
  changePassword: (password: string) =>
    call<undefined>('PUT', '/password', { password } satisfies NewPassword),
};

function search(query: AuditQuery): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.toString();
}
