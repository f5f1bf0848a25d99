import type { Json, JsonObject } from './objects.ts'
import { ApiStatusError, badRequest } from './status-error.ts'

/**
 * `kubectl create namespace|configmap|secret|serviceaccount` and `kubectl auth can-i` send protobuf, whatever the
 * server prefers. Those few messages are read here; field numbers from k8s.io/api `generated.proto`, frame from
 * apimachinery `runtime/generated.proto` (magic `k8s\0`, then Unknown). Everything else is refused with 415.
 */
export function readProtobufBody(body: Uint8Array): JsonObject {
  const magic = Buffer.from('k8s\0')
  if (!magic.equals(body.subarray(0, 4))) throw badRequest('the body is marked as protobuf but lacks its magic number')
  const envelope = readMessage(body.subarray(4), {
    1: ['typeMeta', { 1: ['apiVersion', 'string'], 2: ['kind', 'string'] }],
    2: ['raw', 'bytes'],
  })
  const type = envelope['typeMeta'] as JsonObject | undefined
  const kind = String(type?.['kind'] ?? '')
  const shape = shapes[kind]
  if (shape === undefined) {
    throw new ApiStatusError(
      415,
      'UnsupportedMediaType',
      `${kind || 'this kind'} is not read from protobuf by the embedded server - use application/json, e.g. kubectl apply -f`,
    )
  }
  const raw = Buffer.from(String(envelope['raw'] ?? ''), 'base64')
  return { apiVersion: String(type?.['apiVersion'] ?? ''), kind, ...readMessage(raw, shape) }
}

type FieldType = 'string' | 'bytes' | 'boolean' | 'string-map' | 'bytes-map' | 'repeated-string' | Shape
interface Shape {
  readonly [fieldNumber: number]: readonly [name: string, type: FieldType]
}

const metadata: Shape = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  11: ['labels', 'string-map'],
  12: ['annotations', 'string-map'],
  14: ['finalizers', 'repeated-string'],
}

const shapes: Readonly<Record<string, Shape>> = {
  Namespace: { 1: ['metadata', metadata] },
  ServiceAccount: { 1: ['metadata', metadata] },
  ConfigMap: {
    1: ['metadata', metadata],
    2: ['data', 'string-map'],
    3: ['binaryData', 'bytes-map'],
    4: ['immutable', 'boolean'],
  },
  Secret: {
    1: ['metadata', metadata],
    2: ['data', 'bytes-map'],
    3: ['type', 'string'],
    4: ['stringData', 'string-map'],
    5: ['immutable', 'boolean'],
  },
  SelfSubjectAccessReview: {},
  SelfSubjectRulesReview: {},
  SelfSubjectReview: {},
}

function readMessage(bytes: Uint8Array, shape: Shape): JsonObject {
  const result: JsonObject = {}
  const reader = new Reader(bytes)
  while (!reader.isAtEnd) {
    const tag = reader.varint()
    const value = reader.value(tag & 7)
    const field = shape[tag >>> 3]
    // An empty string is how protobuf writes "not set" for these messages.
    if (field === undefined || (field[1] === 'string' && value instanceof Uint8Array && value.length === 0)) continue
    const [name, type] = field
    result[name] = convert(value, type, result[name])
  }
  return result
}

function convert(value: number | Uint8Array, type: FieldType, before: Json | undefined): Json {
  if (type === 'boolean') return value === 1
  if (typeof value === 'number') throw badRequest('malformed protobuf: a number where bytes were expected')
  switch (type) {
    case 'string':
      return Buffer.from(value).toString('utf8')
    case 'bytes':
      return Buffer.from(value).toString('base64')
    case 'repeated-string':
      return [...(Array.isArray(before) ? before : []), Buffer.from(value).toString('utf8')]
    case 'string-map':
    case 'bytes-map': {
      const entry = readMessage(value, {
        1: ['key', 'string'],
        2: ['value', type === 'string-map' ? 'string' : 'bytes'],
      })
      const key = String(entry['key'] ?? '')
      if (key === '__proto__') throw badRequest('the member name __proto__ is not accepted')
      return { ...(before as JsonObject | undefined), [key]: entry['value'] ?? '' }
    }
    default:
      return readMessage(value, type)
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#bytes.length
  }

  varint(): number {
    let result = 0
    let factor = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#position++]
      if (byte === undefined) break
      result += (byte & 127) * factor
      if (byte < 128) return result
      factor *= 128
    }
    throw badRequest('malformed protobuf: a number does not end')
  }

  /** The value behind a tag by its wire type; fixed-size numbers are skipped, none of our fields is one. */
  value(wireType: number): number | Uint8Array {
    switch (wireType) {
      case 0:
        return this.varint()
      case 1:
        return this.#take(8)
      case 2:
        return this.#take(this.varint())
      case 5:
        return this.#take(4)
      default:
        throw badRequest(`malformed protobuf: wire type ${wireType}`)
    }
  }

  #take(length: number): Uint8Array {
    const end = this.#position + length
    if (end > this.#bytes.length) throw badRequest('malformed protobuf: a field is longer than the body')
    const taken = this.#bytes.subarray(this.#position, end)
    this.#position = end
    return taken
  }
}
