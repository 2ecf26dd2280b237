/** Which page is shown, in the fragment: `#/activity?device=…`. */

export const PAGES = ['pairing', 'devices', 'sessions', 'activity', 'host'] as const;
export type Page = (typeof PAGES)[number];

/** The page and its parameters in a fragment; pairing for one that is not known. */
export function parseRoute(fragment: string): { page: Page; query: URLSearchParams } {
  const [path = '', query = ''] = fragment.replace(/^#\/?/, '').split('?', 2);
  const page = PAGES.find((known) => known === path) ?? 'pairing';
  return { page, query: new URLSearchParams(query) };
}

class Route {
  page = $state<Page>('pairing');
  query = $state.raw(new URLSearchParams());

  /** Takes over what the address bar says. */
  read(): void {
    const { page, query } = parseRoute(location.hash);
    this.page = page;
    this.query = query;
  }

  /** Changes a parameter of this page, without an entry in the history. */
  set(name: string, value: string): void {
    const query = new URLSearchParams(this.query);
    if (value === '') query.delete(name);
    else query.set(name, value);
    const search = query.toString();
    history.replaceState(null, '', `#/${this.page}${search === '' ? '' : `?${search}`}`);
    this.query = query;
  }
}

export const route = new Route();
