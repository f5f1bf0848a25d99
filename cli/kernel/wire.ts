import { createHmac } from 'node:crypto'
import { isFields, type Fields } from '../../runtime/model/fields.ts'
import { checkJsonBounds } from '../../runtime/model/json-bounds.ts'
import { isSameSecret } from '../../runtime/model/same-secret.ts'

/** The version of the messaging protocol that headers carry (jupyter-client docs, "Messaging in Jupyter"). */
export const PROTOCOL_VERSION = '5.3'

const DELIMITER = '<IDS|MSG>'
/** Clients put one identity in front; proxies may add more. */
const MOST_IDENTITIES = 16
/** Delimiter, signature, header, parent header, metadata, content. */
const PARTS = 6
const REMEMBERED_SIGNATURES = 65_536

/** A message of the protocol. `parentHeader` is empty where nothing was asked for. */
export interface KernelMessage {
  /** Where an answer goes; for iopub the topic. */
  readonly identities: readonly Buffer[]
  readonly header: Header
  readonly parentHeader: Fields
  readonly metadata: Fields
  readonly content: Fields
}

export interface Header {
  readonly msg_id: string
  readonly msg_type: string
  readonly session: string
  readonly username: string
  readonly date: string
  readonly version: string
}

export type Received = { readonly message: KernelMessage } | { readonly refused: string }

/**
 * Signs and reads messages with the key of one connection file. Whoever reaches the ports of the kernel can send frames,
 * and without the key none of them is obeyed.
 */
export class Wire {
  readonly #key: string
  /** Signatures that were taken, the oldest first: a frame that somebody has recorded is not obeyed again. */
  readonly #taken = new Set<string>()

  constructor(key: string) {
    this.#key = key
  }

  /** The frames of a message. */
  frames({ identities, header, parentHeader, metadata, content }: KernelMessage): Buffer[] {
    const parts = [header, parentHeader, metadata, content].map((part) => Buffer.from(JSON.stringify(part)))
    return [...identities, Buffer.from(DELIMITER), Buffer.from(this.#signature(parts)), ...parts]
  }

  /** Reads frames of a peer, or says in a few words why they are no message that may be obeyed. Never throws. */
  read(frames: readonly Buffer[]): Received {
    const delimiter = frames.slice(0, MOST_IDENTITIES + 1).findIndex((frame) => frame.equals(Buffer.from(DELIMITER)))
    if (delimiter < 0) return { refused: `no ${DELIMITER} among the first ${MOST_IDENTITIES + 1} frames` }
    const [, signed, ...rest] = frames.slice(delimiter, delimiter + PARTS)
    if (signed === undefined || rest.length < PARTS - 2)
      return { refused: `${frames.length - delimiter} frames behind the identities, at least ${PARTS} are needed` }
    const signature = signed.toString('latin1')
    if (!isSameSecret(signature, this.#signature(rest))) return { refused: 'the signature does not fit the key' }
    if (this.#taken.has(signature)) return { refused: 'a message with this signature was taken already' }
    this.#remember(signature)
    return readParts(frames.slice(0, delimiter), rest)
  }

  #signature(parts: readonly Buffer[]): string {
    const hmac = createHmac('sha256', this.#key)
    for (const part of parts) hmac.update(part)
    return hmac.digest('hex')
  }

  #remember(signature: string): void {
    this.#taken.add(signature)
    const [oldest] = this.#taken
    if (this.#taken.size > REMEMBERED_SIGNATURES && oldest !== undefined) this.#taken.delete(oldest)
  }
}

function readParts(identities: readonly Buffer[], parts: readonly Buffer[]): Received {
  const read = parts.map(fieldsOf)
  const [written, parentHeader, metadata, content] = read
  if (written === undefined || parentHeader === undefined || metadata === undefined || content === undefined)
    return { refused: 'header, parent header, metadata and content must be JSON objects' }
  const header = headerOf(written)
  if (header === undefined) return { refused: 'the header has no msg_id, msg_type or session' }
  return { message: { identities, header, parentHeader, metadata, content } }
}

function fieldsOf(part: Buffer): Fields | undefined {
  const text = part.toString('utf8')
  try {
    checkJsonBounds(text)
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : undefined
  } catch {
    // the caller says that it is no JSON object, which is all that the parser would say
    return undefined
  }
}

function headerOf(written: Fields): Header | undefined {
  const { msg_id, msg_type, session } = written
  if (typeof msg_id !== 'string' || typeof msg_type !== 'string' || typeof session !== 'string') return undefined
  const { username, date, version } = written
  return { msg_id, msg_type, session, username: textOf(username), date: textOf(date), version: textOf(version) }
}

/** A member of a message that should be a text; an empty one where it is not. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
