/** Light or dark: as the system says, or as the owner chose on this browser. */

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'punktfunk-theme';

class ThemeChoice {
  choice = $state<Theme>('system');

  /** Before the first paint. */
  restore(): void {
    const kept = localStorage.getItem(KEY);
    this.#apply(THEMES.find((theme) => theme === kept) ?? 'system');
  }

  choose(theme: Theme): void {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
    this.#apply(theme);
  }

  #apply(theme: Theme): void {
    this.choice = theme;
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }
}

export const theme = new ThemeChoice();
