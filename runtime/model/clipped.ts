/** Enough of a text to recognize it in a log. Without halves of characters, which an API server replaces. */
export function clipped(text: string, most = 120): string {
  return (text.length <= most ? text : `${text.slice(0, most)}…`).toWellFormed()
}
