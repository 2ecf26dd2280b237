/** The console's API without a browser: what a script does, and what an attacker tries. */

import { type Agent, request } from 'node:https';

/** An answer, as it came. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** What a request is made of. */
export interface Ask {
  method?: string;
  /** JSON, unless it is text already. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Keeps connections open, where many requests are made. */
  agent?: Agent;
}

/** Makes one request. The certificate is the host's own and names nobody, so it is not checked. */
export function ask(url: string, asking: Ask = {}): Promise<Answer> {
  const { method = 'GET', body, headers = {}, agent } = asking;
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const all: Record<string, string> = { ...headers };
  if (text !== undefined) {
    all['content-type'] ??= 'application/json';
    all['content-length'] = String(Buffer.byteLength(text));
  }
  return new Promise((resolve, reject) => {
    const options = { method, headers: all, agent, rejectUnauthorized: false };
    const sent = request(url, options, (response) => {
      let received = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (received += part));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: received });
      });
      response.on('error', reject);
    });
    sent.on('error', reject).end(text);
  });
}

/** The cookie that an answer sets, as a request sends it back. */
export function cookieOf({ headers }: Answer): string {
  const [cookie] = [headers['set-cookie'] ?? []].flat();
  const pair = cookie?.split(';')[0];
  if (!pair) {
    throw new Error('the answer sets no cookie');
  }
  return pair;
}

/** A signed-in owner without a browser. */
export class Api {
  private constructor(
    readonly origin: string,
    readonly cookie: string,
  ) {}

  /** Signs in by a printed link, as a browser called `browser`. */
  static async signIn(origin: string, link: string, browser = 'script'): Promise<Api> {
    const secret = new URLSearchParams(new URL(link).hash.slice(1)).get('link');
    const answer = await ask(`${origin}/api/v1/sign-in`, {
      method: 'POST',
      body: { link: secret },
      headers: { origin, 'user-agent': browser },
    });
    if (answer.status !== 200) {
      throw new Error(`no sign-in by link: ${answer.status} ${answer.body}`);
    }
    return new Api(origin, cookieOf(answer));
  }

  /** Makes a request below `/api/v1/` as the page would. */
  ask(path: string, { method = 'GET', body, headers = {} }: Ask = {}): Promise<Answer> {
    return ask(`${this.origin}/api/v1/${path}`, {
      method,
      body,
      headers: { cookie: this.cookie, origin: this.origin, ...headers },
    });
  }

  /** The JSON of a request that goes well. */
  async json<T>(path: string, asking: Ask = {}): Promise<T> {
    const answer = await this.ask(path, asking);
    if (answer.status !== 200) {
      throw new Error(`${asking.method ?? 'GET'} ${path}: ${answer.status} ${answer.body}`);
    }
    return JSON.parse(answer.body) as T;
  }

  /** The numbers of the first audit lines on the event stream after a line, as many as are asked for. */
  events(after: number, count: number): Promise<number[]> {
    return new Promise((resolve, reject) => {
      const ids: number[] = [];
      let received = '';
      const headers = { cookie: this.cookie, 'last-event-id': String(after) };
      const url = `${this.origin}/api/v1/events`;
      const asking = request(url, { headers, rejectUnauthorized: false }, (response) => {
        response.setEncoding('utf8').on('data', (part: string) => {
          received += part;
          const ends = received.lastIndexOf('\n\n');
          for (const event of received.slice(0, Math.max(ends, 0)).split('\n\n')) {
            const id = /^id: ?(\d+)$/m.exec(event)?.[1];
            if (/^event: ?audit$/m.test(event) && id) {
              ids.push(Number(id));
            }
          }
          received = received.slice(ends < 0 ? 0 : ends + 2);
          if (ids.length >= count) {
            asking.destroy();
            resolve(ids);
          }
        });
      });
      asking.on('error', reject).end();
    });
  }
}
