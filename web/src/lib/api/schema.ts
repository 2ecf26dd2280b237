export type Policy = 'required' | 'optional';
export interface Window {
  pin: string;
  for: string | null;
  for_shown: string | null;
  opens_in_s: number;
  expires_in_s: number | null;
  ttl_s: number | null;
}
export type Outcome = 'paired' | 'wrong_pin' | 'expired' | 'cancelled';
export interface LastWindow {
  outcome: Outcome;
  at: string;
  name?: string | null;
  address?: string | null;
  fingerprint?: string | null;
  fingerprint_for_the_eye?: string | null;
}
export interface Pairing {
  window: Window | null;
  last_window: LastWindow | null;
}
export interface Facts {
  version: string;
  host_name: string;
  fingerprint: string;
  fingerprint_shown: string;
  fingerprint_for_the_eye: string;
  port: number;
  policy: Policy;
  source: string;
}
export type Status = Facts & Pairing & { devices: number; requests: number; sessions: number };
export interface Request {
  id: number;
  name: string;
  check_code: string | null;
  waiting: boolean;
  age_s: number;
  expires_in_s: number;
  resembles: string | null;
  address: string;
  fingerprint: string;
  fingerprint_shown: string;
  fingerprint_for_the_eye: string;
}
export interface Approved {
  fingerprint: string;
  label: string;
  compared: boolean;
}
export type PairedBy = 'pin' | 'approved' | 'approved_not_compared';
export interface Device {
  label: string;
  fingerprint: string;
  fingerprint_shown: string;
  fingerprint_for_the_eye: string;
  paired_at: string;
  paired_by: PairedBy;
  last_seen: string | null;
  connected: boolean;
  sessions: number;
}
export interface Removed {
  fingerprint: string;
  label: string;
  sessions_cut: number;
}
export type AdmittedAs = 'paired' | 'guest';
export interface LatencyMs {
  capture: number;
  queue: number;
  encode: number;
  network: number;
}
export interface Figures {
  source: string;
  width: number;
  height: number;
  fps: number;
  bitrate_mbps: number;
  loss_percent: number;
  rtt_ms: number;
  frames_sent: number;
  key_frames_asked: number;
  latency_ms: LatencyMs;
}
export interface Session {
  id: number;
  name: string;
  admitted_as: AdmittedAs;
  since: string;
  age_s: number;
  address: string;
  fingerprint: string;
  fingerprint_for_the_eye: string;
  figures: Figures | null;
}
export interface AuditEntry {
  id: number;
  at: string;
  event: string;
  name?: string | null;
  address?: string | null;
  fingerprint?: string | null;
  fingerprint_for_the_eye?: string | null;
  count?: number | null;
}
export interface AuditPage {
  entries: AuditEntry[];
  more: boolean;
}
export interface SignIn {
  id: number;
  browser: string;
  address: string;
  by: 'password' | 'link';
  signed_in_at: string;
  last_used_at: string;
  proof_expires_in_s: number;
  current: boolean;
}
export interface SignInLink {
  url: string;
  expires_in_s: number;
}
