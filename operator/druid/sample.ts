import { MillraceError } from '../../runtime/model/errors.ts'
import type { ApplyReason } from './decide.ts'
import type { JsonObject } from './druid-client.ts'
import { isJsonObject } from './json.ts'

/** What Druid made of the first records of a topic. */
export interface Sample {
  readonly rows: number
  readonly unreadable: number
  /** Why the first record that is no row is none. */
  readonly firstError: string | undefined
}

export type SampleVerdict =
  | { readonly kind: 'passed' }
  /** Nothing is sent; it is sampled again in the next pass. */
  | { readonly kind: 'refused'; readonly message: string }
  /** The specification is sent as if there were no sampler. */
  | { readonly kind: 'unchecked'; readonly why: string }

const ROWS = 20
const WAIT_MS = 2_000
const ANSWER_BYTES = 256 * 1024
const MAX_ERROR = 300

/** The others send what Druid has taken before. */
const SAMPLED: ReadonlySet<ApplyReason> = new Set(['Created', 'Updated', 'Adopted'])

/** Whether a specification is tried before it is sent for this reason. */
export function wantsSample(reason: ApplyReason, validation: { sample?: boolean } | undefined): boolean {
  return SAMPLED.has(reason) && (validation?.sample ?? true)
}

/** The body of `POST /druid/indexer/v1/sampler` for the specification of a supervisor. */
export function sampleRequest(spec: JsonObject): JsonObject {
  const inner = isJsonObject(spec['spec']) ? spec['spec'] : {}
  const ioConfig = isJsonObject(inner['ioConfig']) ? inner['ioConfig'] : {}
  return {
    type: 'kafka',
    // from the end of a topic nothing would be read
    spec: { ...spec, spec: { ...inner, ioConfig: { ...ioConfig, useEarliestOffset: true } } },
    samplerConfig: { numRows: ROWS, timeoutMs: WAIT_MS, maxClientResponseBytes: ANSWER_BYTES },
  }
}

/** A topic without records refuses nothing, and one in which some records are no rows is read all the same. */
export function verdictOf({ rows, unreadable, firstError }: Sample): SampleVerdict {
  if (rows === 0 || unreadable < rows) return { kind: 'passed' }
  return {
    kind: 'refused',
    message: `none of the first ${rows} records of the topic becomes a row: ${(firstError ?? 'no reason given').slice(0, MAX_ERROR)}`,
  }
}

/** What a call of the sampler says that has failed. Throws what is no failure of Druid. */
export function verdictOfError(error: unknown): SampleVerdict {
  if (!(error instanceof MillraceError) || !error.code.startsWith('DRUID_')) throw error
  if (error.code !== 'DRUID_REJECTED') return { kind: 'unchecked', why: error.message }
  return isOfKafka(error.message)
    ? { kind: 'unchecked', why: error.message }
    : { kind: 'refused', message: error.message }
}

/** The supervisor waits for a topic or broker that is not there yet, and says so itself. Words of Druid 33.0.0. */
function isOfKafka(message: string): boolean {
  return /not subscribed to any topics or assigned any partitions|TimeoutException|Timeout expired/.test(message)
}

/** What of consumer properties an error may not repeat. */
export function secretsIn(spec: JsonObject): readonly string[] {
  const inner = isJsonObject(spec['spec']) ? spec['spec'] : {}
  const ioConfig = isJsonObject(inner['ioConfig']) ? inner['ioConfig'] : {}
  const properties = isJsonObject(ioConfig['consumerProperties']) ? ioConfig['consumerProperties'] : {}
  return Object.entries(properties).flatMap(([name, value]) =>
    typeof value === 'string' && /password|jaas|secret|token/i.test(name) ? [value, ...quotedIn(value)] : [],
  )
}

/** The values of a JAAS configuration. */
function quotedIn(text: string): readonly string[] {
  return [...text.matchAll(/"([^"]+)"|'([^']+)'|=\s*([^\s;"']+)/g)].flatMap(([, a, b, c]) => a ?? b ?? c ?? [])
}
