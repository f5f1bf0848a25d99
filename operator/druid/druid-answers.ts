import { MillraceError } from '../../runtime/model/errors.ts'
import type {
  DruidTask,
  JsonObject,
  LookupVersion,
  SupervisorOverview,
  SupervisorStatus,
  SupervisorVersion,
} from './druid-client.ts'
import { withoutSecrets } from '../../runtime/model/redacted.ts'
import type { Json } from './json.ts'
import type { Sample } from './sample.ts'
import { isJsonObject } from './json.ts'

/** An answer of Druid: `json` is undefined when the body is none. */
export interface DruidAnswer {
  status: number
  json: Json | undefined
  text: string
  /** When it was given, in milliseconds since the epoch by the clock of the server; NaN when it does not say. */
  at: number
}

const MAX_TEXT = 600
const MAX_WORD = 100
/** More than a topic has; what an answer says goes into a status. */
const MAX_PARTITIONS = 10_000

/**
 * Turns an answer that is not a success into the error of the port's contract. Druid has six shapes of error bodies
 * (JSON with `error`, `errorMessage` or `message`, plain text, HTML, nothing), so the status code decides and the
 * body only speaks.
 */
export function answerError(call: string, answer: DruidAnswer): MillraceError {
  const said = druidText(answer)
  const { status } = answer
  if (status === 400 || status === 415) {
    return new MillraceError('DRUID_REJECTED', said, { domain: 'user' })
  }
  if (status === 401 || status === 403) {
    return new MillraceError('DRUID_UNAUTHORIZED', `Druid answered ${status} to ${call}: ${said}`, {
      domain: 'platform',
      retriable: true,
      hint: "Check the login: that of spec.auth, or else the one for this Druid in the operator's configuration.",
    })
  }
  if (status === 503 || status === 504 || status === 429 || (status >= 300 && status < 400)) {
    return new MillraceError('DRUID_UNREACHABLE', `Druid answered ${status} to ${call}: ${said}`, {
      domain: 'dependency',
      retriable: true,
      hint:
        status < 400
          ? 'Redirects are not followed: the URL must be that of a Router with druid.router.managementProxy.enabled=true.'
          : 'There may be no leader right now.',
    })
  }
  return new MillraceError('DRUID_FAILED', `Druid answered ${status} to ${call}: ${said}`, {
    domain: 'dependency',
    retriable: true,
    ...(status === 404 ? { hint: 'Is druid.router.managementProxy.enabled=true on the Router?' } : {}),
  })
}

/** What Druid says about it, without stack traces. */
function druidText({ json, text }: DruidAnswer): string {
  if (isJsonObject(json)) {
    for (const key of ['errorMessage', 'error', 'message', 'Access-Check-Result']) {
      const value = json[key]
      if (typeof value === 'string' && value !== '') return value.slice(0, MAX_TEXT)
    }
  }
  const plain = text
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return plain === '' ? 'no text' : plain.slice(0, MAX_TEXT)
}

/** Rows of an answer that has none are none. */
export function parseSample(json: Json | undefined, secrets: readonly string[]): Sample {
  const data = objects(isJsonObject(json) ? json['data'] : undefined)
  const unreadable = data.filter((row) => row['unparseable'] === true)
  const error = unreadable.find((row) => typeof row['error'] === 'string')?.['error']
  return {
    rows: data.length,
    unreadable: unreadable.length,
    firstError: typeof error === 'string' ? withoutSecrets(error, secrets) : undefined,
  }
}

/** Undefined for an answer that is no lookup. */
export function parseLookup(json: Json | undefined): LookupVersion | undefined {
  if (!isJsonObject(json)) return undefined
  const { version, lookupExtractorFactory: factory } = json
  return typeof version === 'string' && isJsonObject(factory) ? { version, factory } : undefined
}

export function parseVersions(json: Json | undefined): SupervisorVersion[] {
  return objects(json).flatMap(({ spec, version }) => (isJsonObject(spec) ? [{ spec, version: String(version) }] : []))
}

/** Entries that are no supervisors are left out: who looks for one then asks for it. */
export function parseOverview(json: Json | undefined): Map<string, SupervisorOverview> {
  return new Map(
    objects(json).flatMap(({ id, spec, state, detailedState, healthy }) =>
      typeof id === 'string' && isJsonObject(spec)
        ? [
            [
              id,
              {
                spec: withoutDoubles(spec),
                state: wordOf(state),
                detailedState: wordOf(detailedState ?? state),
                healthy: healthy === true,
                // beside the specification it is false for every supervisor (seen on 33.0.0)
                suspended: spec['suspended'] === true,
              },
            ] as const,
          ]
        : [],
    ),
  )
}

/** Druid gives the inner objects twice, and an overview stays in memory for a while. */
function withoutDoubles({ dataSchema: _d, ioConfig: _i, tuningConfig: _t, ...spec }: JsonObject): JsonObject {
  return spec
}

export function parseStatus(json: Json | undefined): SupervisorStatus | undefined {
  const payload = isJsonObject(json) ? json['payload'] : undefined
  if (!isJsonObject(payload)) return undefined
  const { state, detailedState, aggregateLag, minimumLag } = payload
  const lag = isJsonObject(minimumLag) ? minimumLag : {}
  return {
    state: wordOf(state),
    detailedState: wordOf(detailedState ?? state),
    healthy: payload['healthy'] === true,
    suspended: payload['suspended'] === true,
    partitions: Math.min(Number(payload['partitions'] ?? 0) || 0, MAX_PARTITIONS),
    aggregateLag: Number.isSafeInteger(aggregateLag) ? Number(aggregateLag) : undefined,
    lagByPartition: Object.fromEntries(Object.entries(lag).map(([partition, value]) => [partition, Number(value)])),
    unread: unreadOf(payload),
    activeTasks: objects(payload['activeTasks']).length,
    publishingTasks: objects(payload['publishingTasks']).length,
    recentErrors: objects(payload['recentErrors']).map(({ timestamp, exceptionClass, message }) => ({
      time: String(timestamp ?? ''),
      message: String(message ?? exceptionClass ?? 'unknown').slice(0, MAX_TEXT),
    })),
  }
}

/** Druid's word, of whatever version; an answer that has none says so. */
function wordOf(value: Json | undefined): string {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_WORD) : 'UNKNOWN'
}

function unreadOf({ latestOffsets, activeTasks }: JsonObject): string[] {
  const reading = objects(activeTasks)
    .map((task) => task['startingOffsets'])
    .filter(isJsonObject)
  if (reading.length === 0 || !isJsonObject(latestOffsets)) return []
  const read = new Set(reading.flatMap((offsets) => Object.keys(offsets)))
  return Object.keys(latestOffsets)
    .filter((partition) => !read.has(partition))
    .slice(0, MAX_PARTITIONS)
}

export function parseTasks({ json, at }: Pick<DruidAnswer, 'json' | 'at'>): DruidTask[] {
  return objects(json).map((task) => ({
    id: String(task['id']),
    type: String(task['type']),
    status: String(task['status'] ?? task['statusCode']),
    ageMs: ageOf(String(task['createdTime']), at),
    errorMessage: typeof task['errorMsg'] === 'string' ? firstLine(task['errorMsg']) : undefined,
  }))
}

function ageOf(createdTime: string, at: number): number | undefined {
  const ageMs = at - Date.parse(createdTime)
  return Number.isNaN(ageMs) ? undefined : ageMs
}

export function objects(json: Json | undefined): JsonObject[] {
  return Array.isArray(json) ? (json as readonly Json[]).filter(isJsonObject) : []
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, MAX_TEXT)
}
