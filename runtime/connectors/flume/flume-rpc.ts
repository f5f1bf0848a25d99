import { createHash } from 'node:crypto'
import { isFields } from '../../model/fields.ts'
import { AvroInput } from './avro-input.ts'
import { flumeProtocol } from './netty-frames.ts'

/**
 * AvroSourceProtocol of Flume 1.x (flume-ng-sdk/src/main/avro/flume.avdl) over Avro RPC (specification, "Protocol Wire
 * Format"): the first message of a connection begins with a handshake, all have metadata, the name of a call and its
 * parameter.
 */
const PROTOCOL = JSON.stringify({
  protocol: 'AvroSourceProtocol',
  namespace: 'org.apache.flume.source.avro',
  types: [
    { type: 'enum', name: 'Status', symbols: ['OK', 'FAILED', 'UNKNOWN'] },
    {
      type: 'record',
      name: 'AvroFlumeEvent',
      fields: [
        { name: 'headers', type: { type: 'map', values: 'string' } },
        { name: 'body', type: 'bytes' },
      ],
    },
  ],
  messages: {
    append: { request: [{ name: 'event', type: 'AvroFlumeEvent' }], response: 'Status' },
    appendBatch: {
      request: [{ name: 'events', type: { type: 'array', items: 'AvroFlumeEvent' } }],
      response: 'Status',
    },
  },
})
const PROTOCOL_HASH = createHash('md5').update(PROTOCOL).digest()
const HASH_BYTES = 16

export interface FlumeEvent {
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

export type FlumeStatus = 'OK' | 'FAILED'

/** A request of a client. `handshake` is the beginning of the answer. */
export type FlumeRequest =
  | { readonly kind: 'events'; readonly events: readonly FlumeEvent[]; readonly handshake: Buffer }
  /** The client has to say its protocol first, and then call again. */
  | { readonly kind: 'handshake'; readonly answer: Buffer }
  /** A call without a name only makes the acquaintance. */
  | { readonly kind: 'ping'; readonly handshake: Buffer }

/** Decodes the requests of one connection. */
export class FlumeRequests {
  readonly #maxEvents: number
  #isAcquainted = false

  constructor(maxEvents: number) {
    this.#maxEvents = maxEvents
  }

  /** Throws FLUME_PROTOCOL for what no Flume agent sends. The events are views of `bytes`. */
  decode(bytes: Buffer): FlumeRequest {
    const input = new AvroInput(bytes)
    const handshake = this.#isAcquainted ? Buffer.alloc(0) : this.#handshake(input)
    if (!this.#isAcquainted) return { kind: 'handshake', answer: handshake }
    skipMetadata(input)
    const name = input.text()
    switch (name) {
      case '':
        return { kind: 'ping', handshake }
      case 'append':
        return { kind: 'events', events: [eventFrom(input)], handshake }
      case 'appendBatch':
        return { kind: 'events', events: eventsFrom(input, this.#maxEvents), handshake }
      default:
        throw flumeProtocol(`a call of ${JSON.stringify(name.slice(0, 100))}`)
    }
  }

  #handshake(input: AvroInput): Buffer {
    input.fixed(HASH_BYTES)
    const clientProtocol = input.optional(() => input.text())
    const serverHash = input.fixed(HASH_BYTES)
    input.optional(() => {
      skipMetadata(input)
    })
    // nobody is known by the hash alone: it is Java's own text that is hashed
    if (clientProtocol === null) return handshakeAnswer('none')
    checkProtocol(clientProtocol)
    this.#isAcquainted = true
    return handshakeAnswer(serverHash.equals(PROTOCOL_HASH) ? 'both' : 'client')
  }
}

const NULL = Buffer.of(0)
const PRESENT = Buffer.of(2)

/** HandshakeResponse: which side knows the other, and for a client that does not know us our protocol and its hash. */
function handshakeAnswer(match: 'both' | 'client' | 'none'): Buffer {
  if (match === 'both') return Buffer.concat([Buffer.of(0), NULL, NULL, NULL])
  const text = Buffer.from(PROTOCOL)
  return Buffer.concat([
    Buffer.of(match === 'client' ? 2 : 4),
    PRESENT,
    varint(text.length),
    text,
    PRESENT,
    PROTOCOL_HASH,
    NULL,
  ])
}

/** The answer to a call: no metadata, no error, the status. */
export function statusAnswer(handshake: Buffer, status: FlumeStatus): Buffer {
  return Buffer.concat([handshake, Buffer.of(0, 0, status === 'OK' ? 0 : 2)])
}

/** The answer to a call without a name: no metadata, no error, null. */
export function pingAnswer(handshake: Buffer): Buffer {
  return Buffer.concat([handshake, Buffer.of(0, 0)])
}

/** A call of `appendBatch`; the first one of a connection begins with a handshake. */
export function appendBatchCall(events: readonly FlumeEvent[], isFirst: boolean): Buffer {
  const handshake = isFirst ? [PROTOCOL_HASH, PRESENT, ...lengthAnd(Buffer.from(PROTOCOL)), PROTOCOL_HASH, NULL] : []
  const encoded = events.flatMap(({ headers, body }) => [
    ...(headers.size === 0 ? [] : [varint(headers.size)]),
    ...[...headers].flatMap(([name, value]) => [...lengthAnd(Buffer.from(name)), ...lengthAnd(Buffer.from(value))]),
    NULL,
    ...lengthAnd(body),
  ])
  return Buffer.concat([
    ...handshake,
    NULL,
    ...lengthAnd(Buffer.from('appendBatch')),
    varint(events.length),
    ...encoded,
    NULL,
  ])
}

/** The answer of a server to a call. Throws FLUME_PROTOCOL, with its words, for anything but a status. */
export function answeredStatus(bytes: Buffer, isFirst: boolean): FlumeStatus {
  const input = new AvroInput(bytes)
  if (isFirst) {
    const match = input.long()
    input.optional(() => input.text())
    input.optional(() => input.fixed(HASH_BYTES))
    input.optional(() => {
      skipMetadata(input)
    })
    if (match === MATCH_NONE) throw flumeProtocol('the server does not know the protocol of Flume 1.x')
  }
  skipMetadata(input)
  const isError = input.fixed(1)[0] === 1
  if (isError) throw flumeProtocol(`the server answered with an error: ${errorText(input)}`)
  return input.long() === 0 ? 'OK' : 'FAILED'
}

const MATCH_NONE = 2
const LONGEST_ERROR = 300

/** Undeclared errors are a union whose first branch is a text. */
function errorText(input: AvroInput): string {
  return input.long() === 0 ? input.text().slice(0, LONGEST_ERROR) : 'of a kind that Flume 1.x does not declare'
}

function lengthAnd(bytes: Buffer): Buffer[] {
  return [varint(bytes.length), bytes]
}

/** The events of a client whose protocol has other fields would be read as nonsense. */
function checkProtocol(text: string): void {
  const protocol = parsed(text)
  const types = isFields(protocol) && Array.isArray(protocol['types']) ? (protocol['types'] as unknown[]) : []
  const event = types.find((type) => isFields(type) && type['name'] === 'AvroFlumeEvent')
  const fields = isFields(event) && Array.isArray(event['fields']) ? (event['fields'] as unknown[]) : []
  const names = fields.map((field) => (isFields(field) ? String(field['name']) : ''))
  if (names.join() !== 'headers,body')
    throw flumeProtocol(`the protocol of the client has no AvroFlumeEvent of headers and body: ${text.slice(0, 200)}`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** An event of two bytes takes some 450 in memory: the size of a message alone does not bound them. */
function eventsFrom(input: AvroInput, maxEvents: number): FlumeEvent[] {
  const events: FlumeEvent[] = []
  input.items(() => {
    if (events.length === maxEvents) throw flumeProtocol(`a batch has more than ${maxEvents} events`)
    events.push(eventFrom(input))
  })
  return events
}

function eventFrom(input: AvroInput): FlumeEvent {
  const headers = new Map<string, string>()
  input.items(() => {
    const name = input.text()
    headers.set(name, input.text())
  })
  return { headers, body: input.bytes() }
}

function skipMetadata(input: AvroInput): void {
  input.items(() => {
    input.bytes()
    input.bytes()
  })
}

/** A length as Avro writes it. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value * 2; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}
