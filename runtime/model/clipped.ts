/** Enough of a text to recognize it in a log. */
export function clipped(text: string, most = 120): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`
}
