/**
 * C0 but for line feed and tab, DEL, and C1, which a terminal may take for a command; and the marks that turn the
 * direction of the text around them, or end a line.
 */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/**
 * A text from outside as a terminal, a status or a log may show it: control characters are written out (`\u001b`), so
 * that no record moves the cursor, changes colours or sets the title of somebody's window.
 */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
