/** Sentences with a name in them, cut so that the name can be shown isolated from the words around it. */

export interface Part {
  text: string;
  isName: boolean;
}

/** Cuts a template at `{name}`. What is in the name is never looked at. */
export function sentence(template: string, name: string): Part[] {
  return template
    .split(/(\{name\})/)
    .filter((text) => text !== '')
    .map((text) => (text === '{name}' ? { text: name, isName: true } : { text, isName: false }));
}
