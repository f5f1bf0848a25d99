import { clipped } from './clipped.ts'

/**
 * Names of fields whose values are nobody's business in a log. Lengths are bounded, so that a long text of foreign code
 * costs time in proportion to its length.
 */
const SECRET =
  '[\\w-]{0,64}(?:password|passwd|passphrase|secret|token|api[_-]?key|credential|authorization)[\\w-]{0,64}'
/** `"name": value` of JSON, or `name=value`, where the value is a text, a word, or what a cut has left of either. */
const PAIR = new RegExp(`("${SECRET}"\\s*:\\s*|\\b${SECRET}\\s*=\\s*)("(?:[^"\\\\]|\\\\.)*"?|[^\\s,;&}\\]]+)`, 'gi')

/** `:password@` before a host, in an address with or without a scheme. */
const USER_INFO = /:[^\s"'/@]{1,256}@(?=[\w[])/g

/**
 * A text as an error or a log may show it: the values of members that are called as secrets are, and passwords in
 * addresses, are left out.
 */
export function redacted(text: string): string {
  return text.replace(PAIR, '$1"…"').replace(USER_INFO, ':…@')
}

/** Behind the end of what is shown, this much decides whether a secret stands there. */
const LOOKED_AT = 512

/** The beginning of a text, as `redacted` shows it: the rest may be of any length, and costs nothing. */
export function redactedStart(text: string, most: number): string {
  return clipped(redacted(text.slice(0, most + LOOKED_AT)), most)
}

/** Shorter secrets would take words out of the text that are none. */
const SHORTEST_SECRET = 4

/** What somebody answered who was sent these secrets and may repeat them, as they are or in Base64. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, Buffer.from(secret).toString('base64')])
    .reduce((left, secret) => left.replaceAll(secret, '…'), text)
}
