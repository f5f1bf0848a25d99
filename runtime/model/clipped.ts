/** Enough of a text to recognize it in a log. */
export function clipped(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 120)}…`
}
