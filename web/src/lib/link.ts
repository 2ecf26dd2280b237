/** A one-time sign-in link: `https://HOST:PORT/#link=TOKEN`. In the fragment, it is in no log and no `Referer`. */

const LINK = /^#link=([A-Za-z0-9_-]{1,128})$/;

/** The token in a fragment, if it is a sign-in link's. */
export function linkToken(fragment: string): string | null {
  return LINK.exec(fragment)?.[1] ?? null;
}
