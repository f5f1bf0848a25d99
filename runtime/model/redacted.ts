/** Names of fields whose values are nobody's business in a log. */
const SECRET = '[\\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|credential|authorization)[\\w-]*'
/** `"name": value` of JSON, or `name=value`, where the value is a text, a word, or what a cut has left of either. */
const PAIR = new RegExp(`("${SECRET}"\\s*:\\s*|\\b${SECRET}\\s*=\\s*)("(?:[^"\\\\]|\\\\.)*"?|[^\\s,;&}\\]]+)`, 'gi')

/** A record as an error or a log may show it: values of fields that are called as secrets are, left out. */
export function redacted(text: string): string {
  return text.replace(PAIR, '$1"…"')
}
