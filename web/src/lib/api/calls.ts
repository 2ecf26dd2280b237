/** What the API can do, one function for each thing. Each throws {@link ApiError} and nothing else. */

import { call } from './client';
import type {
  Approved,
  AuditPage,
  Device,
  Pairing,
  Removed,
  Request,
  Session,
  SignIn,
  SignInLink,
  Status,
  Window,
} from './schema';

/** For whom a pairing window is opened; whoever types the PIN first, if neither is there. */
export interface ArmBody {
  for_request?: number;
  ttl_s?: number;
}

/** Which lines of the audit log to read. */
export interface AuditQuery {
  before?: number | undefined;
  kind?: string | undefined;
  fingerprint?: string | undefined;
  limit: number;
}

export const api = {
  signInWithPassword: (password: string) => call<SignIn>('POST', '/sign-in', { password }),
  signInWithLink: (link: string) => call<SignIn>('POST', '/sign-in', { link }),
  signIn: () => call<SignIn>('GET', '/sign-in'),
  signOut: () => call<void>('DELETE', '/sign-in'),
  prove: (password: string) => call<SignIn>('POST', '/proof', { password }),

  status: () => call<Status>('GET', '/status'),

  pairing: () => call<Pairing>('GET', '/pairing'),
  arm: (body: ArmBody) => call<Window>('POST', '/pairing/window', body),
  disarm: () => call<void>('DELETE', '/pairing/window'),

  requests: () => call<Request[]>('GET', '/requests'),
  approve: (id: number, label: string) =>
    call<Approved>('POST', `/requests/${id}/approve`, label === '' ? {} : { label }),
  deny: (id: number) => call<void>('POST', `/requests/${id}/deny`),

  devices: () => call<Device[]>('GET', '/devices'),
  rename: (fingerprint: string, label: string) =>
    call<Device>('PATCH', `/devices/${fingerprint}`, { label }),
  remove: (fingerprint: string) => call<Removed>('DELETE', `/devices/${fingerprint}`),

  sessions: () => call<Session[]>('GET', '/sessions'),
  endSession: (id: number) => call<void>('DELETE', `/sessions/${id}`),

  audit: (query: AuditQuery) => call<AuditPage>('GET', `/audit?${search(query)}`),

  signIns: () => call<SignIn[]>('GET', '/sign-ins'),
  endSignIn: (id: SignIn['id']) => call<void>('DELETE', `/sign-ins/${id}`),
  makeLink: () => call<SignInLink>('POST', '/sign-in-links', {}),
  changePassword: (password: string) => call<void>('PUT', '/password', { password }),
};

function search(query: AuditQuery): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.toString();
}
