import type { Order } from '../../runtime/model/job.ts'
import type { EventNote } from '../kube/events.ts'
import type { Condition, KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import type { ApplyReason } from './decide.ts'
import type { SettingStatus } from './settings.ts'
import type { UnreadPartitions } from './unread-partitions.ts'

/**
 * The DruidDatasource resource as crds/druiddatasources.yaml defines it; defaults are filled in by the API server.
 * Durations are Millrace's (`30s`, `1h`).
 */
export interface DruidDatasource extends KubeObject {
  spec: DruidDatasourceSpec
  status?: DruidDatasourceStatus
}

export const druidDatasources: ResourceType<DruidDatasource> = {
  group: 'millrace.dev',
  version: 'v1alpha1',
  plural: 'druiddatasources',
  kind: 'DruidDatasource',
}

/** On a resource from before its supervisor is made until its deletion policy has been carried out. */
export const FINALIZER = 'millrace.dev/druid-supervisor'

export interface DruidDatasourceSpec {
  /** Name of an endpoint in the operator's configuration; never a URL, so that a resource cannot aim credentials. */
  druid?: { name?: string }
  /** In place of the operator's own login; by reference only, to Secrets of the resource's namespace. */
  auth?: {
    basic?: { secret: string; usernameKey?: string; passwordKey?: string }
    bearer?: { secret: string; key?: string }
  }
  tls?: {
    /** In place of the public authorities. */
    ca?: { secret: string; key?: string }
    certificate?: { secret: string; certificateKey?: string; privateKeyKey?: string }
  }
  /** The datasource in Druid, and the id of its supervisor; the resource's own name when absent. */
  dataSource?: string
  /** The supervisor as Druid takes it, in place of the typed fields from `kafka` to `tuning`. */
  rawSpec?: Readonly<Record<string, unknown>>
  kafka?: {
    brokers: string
    topic: string
    consumerProperties?: Readonly<Record<string, string | number | boolean>>
  }
  timestamp?: { column: string; format?: string }
  dimensions?: readonly { name: string; type?: DimensionType }[]
  /** Druid aggregators as Druid writes them. */
  metrics?: readonly Readonly<Record<string, unknown>>[]
  granularity?: { segment?: string; query?: string; rollup?: boolean }
  ingestion?: {
    taskCount?: number
    replicas?: number
    taskDuration?: string
    completionTimeout?: string
    startDelay?: string
    period?: string
    useEarliestOffset?: boolean
    lateMessageRejectionPeriod?: string
    earlyMessageRejectionPeriod?: string
  }
  /** Druid's tuningConfig; only names that Druid knows (Druid itself ignores misspelt ones silently). */
  tuning?: Readonly<Record<string, unknown>>
  /** Druid's rules, in order; absent: left alone, empty: those of the datasource are removed. */
  retention?: readonly Readonly<Record<string, unknown>>[]
  /** Absent: left alone; `enabled: false`: removed. `config` is Druid's, without dataSource. */
  compaction?: { enabled?: boolean; config?: Readonly<Record<string, unknown>> }
  /** Maps that queries of the whole Druid know; left out: those that the resource named before are removed. */
  lookups?: readonly { name: string; tier?: string; map: Readonly<Record<string, string>> }[]
  validation?: { sample?: boolean }
  suspended?: boolean
  driftPolicy?: 'Enforce' | 'Warn' | 'Ignore'
  adoption?: 'IfEqual' | 'Always' | 'Never'
  deletionPolicy?: 'Suspend' | 'Terminate' | 'Retain'
  deletionTimeout?: string
  syncInterval?: string
}

export type DimensionType = 'string' | 'long' | 'float' | 'double' | 'json' | 'auto'

export interface DruidDatasourceStatus {
  observedGeneration?: number
  conditions?: Condition[]
  dataSource?: string
  topic?: string
  state?: string
  detailedState?: string
  healthy?: boolean
  suspended?: boolean
  /** Records not read yet, summed over the partitions, as Druid counts them. */
  lag?: number
  /** Set while partitions have no task that reads them. */
  unread?: UnreadPartitions
  activeTasks?: number
  publishingTasks?: number
  recentErrors?: { time: string; message: string }[]
  /** Intent: the specification whose POST has begun. Written before the POST, removed when its end is known. */
  applying?: {
    hash: string
    time?: string
    /** The Event that reports its end. Operators before 2026-11-23 wrote none. */
    as?: { reason: ApplyReason; message: string }
  }
  /** What Druid accepted from us last. */
  applied?: {
    hash: string
    suspended: boolean
    time: string
    order?: Order
    /** Paths of a rawSpec that Druid did not keep when it took it: no drift. */
    unkept?: string[]
  }
  /** A specification that Druid refused: not sent again until the resource changes. */
  rejected?: { hash: string; message: string }
  /** Retention and compaction, as far as the resource says something about them. */
  settings?: SettingStatus[]
  /** Paths in the supervisor that were changed by someone else. */
  drift?: string[]
  /** What has happened and is not an Event yet, the oldest first; absent when nothing. */
  untold?: readonly UntoldEvent[] | null
}

/** Written with the status that it follows from, and removed when it is an Event. */
export interface UntoldEvent {
  id: string
  event: EventNote
}

/** Name of the datasource in Druid, which is also the supervisor's id. */
export function dataSourceOf(resource: Pick<DruidDatasource, 'metadata' | 'spec'>): string {
  return resource.spec.dataSource ?? resource.metadata.name
}
