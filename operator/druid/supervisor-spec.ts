import { createHash } from 'node:crypto'
import { memberOf, membersOf } from '../../runtime/model/fields.ts'
import type { Fields } from '../../runtime/model/fields.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import type { Order } from '../../runtime/model/job.ts'
import type { DruidDatasource, DruidDatasourceSpec } from './druid-datasource.ts'
import { dataSourceOf } from './druid-datasource.ts'
import type { JsonObject } from './druid-client.ts'
import { isoPeriod } from './iso-period.ts'
import { kafkaOf } from './kafka-of.ts'
import type { Json } from './json.ts'
import { textWithoutNulls } from '../kube/text-without-nulls.ts'
import { isJsonObject } from './json.ts'

/** Key in the supervisor's context that names the resource it belongs to, as `namespace/name`. */
export const OWNER_KEY = 'millrace.dev/owner'

/** Key in the supervisor's context with the uid of that resource: another cluster may have one of the same name. */
export const OWNER_UID_KEY = 'millrace.dev/owner-uid'

/**
 * Key in the supervisor's context that says how much had been seen by whoever wrote the specification: JSON of an Order.
 * It is no part of what is asked for, and its change alone is not written.
 */
export const ORDER_KEY = 'millrace.dev/order'

/** Shortest `taskDuration`: below a minute every task of Druid 33 dies at once. */
export const SHORTEST_TASK_MS = 60_000

/** The Kafka supervisor that a DruidDatasource asks for. */
export interface DesiredSupervisor {
  id: string
  owner: string
  topic: string
  /** Keys sorted at every level. */
  spec: JsonObject
  suspended: boolean
  /** Hash of everything but `suspended`: pausing is not a new specification. */
  hash: string
}

/**
 * Expects a spec without problems (validate-spec.ts). Where Druid's default loses data it is not used:
 * `useEarliestOffset` is true and `rollup` false here; `isolation.level` is stated because exactly-once hangs on it.
 */
export function desiredSupervisor(resource: DruidDatasource): DesiredSupervisor {
  const { spec, metadata } = resource
  const id = dataSourceOf(resource)
  const owner = `${metadata.namespace ?? 'default'}/${metadata.name}`
  const suspended = spec.suspended ?? false
  const body = isTypedSpec(spec) ? typedBody(id, owner, spec) : rawBody(owner, membersOf(spec.rawSpec))
  const text = textWithoutNulls(body)
  return {
    id,
    owner,
    topic: kafkaOf(spec)?.topic ?? '',
    suspended,
    spec: parseObject(textWithoutNulls({ ...membersOf(body), suspended })),
    hash: createHash('sha256').update(text).digest('hex').slice(0, 16),
  }
}

/** A spec without `rawSpec`. */
type TypedSpec = DruidDatasourceSpec & Required<Pick<DruidDatasourceSpec, 'kafka' | 'timestamp'>>

export function isTypedSpec(spec: DruidDatasourceSpec): spec is TypedSpec {
  return spec.rawSpec === undefined && spec.kafka !== undefined && spec.timestamp !== undefined
}

function typedBody(id: string, owner: string, spec: TypedSpec): unknown {
  return {
    type: 'kafka',
    context: { [OWNER_KEY]: owner, useConcurrentLocks: true },
    spec: {
      dataSchema: dataSchema(id, spec),
      ioConfig: ioConfig(spec),
      tuningConfig: { resetOffsetAutomatically: false, ...spec.tuning, type: 'kafka' },
    },
  }
}

/** As it was written, with our mark. */
function rawBody(owner: string, raw: Fields): unknown {
  return { ...raw, context: { ...membersOf(raw['context']), [OWNER_KEY]: owner } }
}

function dataSchema(id: string, spec: TypedSpec): unknown {
  return {
    dataSource: id,
    timestampSpec: { column: spec.timestamp.column, format: spec.timestamp.format ?? 'auto' },
    dimensionsSpec: {
      dimensions: (spec.dimensions ?? []).map(({ name, type }) => ({ type: type ?? 'string', name })),
    },
    metricsSpec: spec.metrics ?? [],
    granularitySpec: {
      type: 'uniform',
      segmentGranularity: spec.granularity?.segment ?? 'DAY',
      queryGranularity: queryGranularity(spec.granularity?.query ?? 'NONE'),
      rollup: spec.granularity?.rollup ?? false,
    },
  }
}

/** Druid echoes NONE and ALL as objects, the others by name. */
function queryGranularity(name: string): unknown {
  return name === 'NONE' || name === 'ALL' ? { type: name.toLowerCase() } : name
}

function ioConfig(spec: TypedSpec): unknown {
  const ingestion = spec.ingestion ?? {}
  return {
    topic: spec.kafka.topic,
    inputFormat: { type: 'json' },
    consumerProperties: {
      ...textValues(spec.kafka.consumerProperties ?? {}),
      'isolation.level': 'read_committed',
      'bootstrap.servers': spec.kafka.brokers,
    },
    taskCount: ingestion.taskCount ?? 1,
    replicas: ingestion.replicas ?? 1,
    taskDuration: period(ingestion.taskDuration ?? '1h'),
    completionTimeout: period(ingestion.completionTimeout ?? '30m'),
    startDelay: period(ingestion.startDelay),
    period: period(ingestion.period),
    useEarliestOffset: ingestion.useEarliestOffset ?? true,
    lateMessageRejectionPeriod: period(ingestion.lateMessageRejectionPeriod),
    earlyMessageRejectionPeriod: period(ingestion.earlyMessageRejectionPeriod),
  }
}

function period(duration: string | undefined): string | undefined {
  const ms = duration === undefined ? undefined : parseDurationMs(duration)
  return ms === undefined ? undefined : isoPeriod(ms)
}

function textValues(properties: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, String(value)]))
}

function parseObject(text: string): JsonObject {
  const value: unknown = JSON.parse(text)
  return isJsonObject(value) ? value : {}
}

/** The owner of the supervisor; undefined when Millrace did not make it. */
export function ownerOf(spec: JsonObject): string | undefined {
  const owner = member(spec, 'context', OWNER_KEY)
  return typeof owner === 'string' ? owner : undefined
}

/** As it is sent: Druid compares nothing, so what comes late must be recognised when it is read back. */
export function withOrder(spec: JsonObject, order: Order, ownerUid?: string): JsonObject {
  const context = isJsonObject(spec['context']) ? spec['context'] : {}
  const uid = ownerUid === undefined ? {} : { [OWNER_UID_KEY]: ownerUid }
  return { ...spec, context: { ...context, ...uid, [ORDER_KEY]: JSON.stringify(order) } }
}

/**
 * Whether an operator of another cluster, or of another installation, has marked it for a resource that is not `owner`:
 * such a resource cannot be looked for here, and one of the same name is not the same.
 */
export function isMarkedElsewhere(spec: JsonObject, owner: MarkOwner): boolean {
  const marked = ownerOf(spec)
  const lease = orderIn(spec)?.lease?.id
  if (marked === undefined || lease === undefined || owner.lease === undefined || lease === owner.lease) return false
  const uid = member(spec, 'context', OWNER_UID_KEY)
  return marked !== owner.name || (typeof uid === 'string' && uid !== owner.uid)
}

/** A resource as marks know it. */
export interface MarkOwner {
  /** `namespace/name`. */
  name: string
  uid: string | undefined
  /** The lease of the operator that looks after it; undefined where none is held. */
  lease: string | undefined
}

export function markOwnerOf({ metadata }: DruidDatasource, lease: Order['lease']): MarkOwner {
  return { name: `${metadata.namespace ?? 'default'}/${metadata.name}`, uid: metadata.uid, lease: lease?.id }
}

/** Undefined when whoever wrote the specification gave none, or somebody has changed it by hand. */
export function orderIn(spec: JsonObject): Order | undefined {
  const text = member(spec, 'context', ORDER_KEY)
  if (typeof text !== 'string') return undefined
  try {
    const order: unknown = JSON.parse(text)
    return isJsonObject(order) && typeof order['generation'] === 'number' ? (order as unknown as Order) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

export function topicOf(spec: JsonObject): string | undefined {
  const topic = member(spec, 'spec', 'ioConfig', 'topic')
  return typeof topic === 'string' ? topic : undefined
}

export function dataSourceOfSupervisor(spec: JsonObject): string | undefined {
  const name = member(spec, 'spec', 'dataSchema', 'dataSource')
  return typeof name === 'string' ? name : undefined
}

export function isSuspended(spec: JsonObject): boolean {
  return spec['suspended'] === true
}

/** What a terminated supervisor leaves in its history. */
export function isTombstone(spec: JsonObject): boolean {
  return spec['type'] === 'noop'
}

function member(value: Json, ...path: readonly string[]): Json | undefined {
  let current: Json | undefined = value
  for (const key of path) current = isJsonObject(current) ? memberOf(current, key) : undefined
  return current
}
