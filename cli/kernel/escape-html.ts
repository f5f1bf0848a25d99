const NAMES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
])

/** A text as the content of an element, or of an attribute in quotes, of HTML or SVG. It opens no element and no entity. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => NAMES.get(character) ?? '')
}
