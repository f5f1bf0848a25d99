import type { Json } from './json.ts'
import type { Sample } from './sample.ts'

/**
 * The Druid HTTP API as the operator uses it, bound to one endpoint of the operator's configuration.
 * Absent supervisors are `undefined` or 'absent', never an error. Everything else that fails is a MillraceError:
 * DRUID_UNREACHABLE (connection, timeout, 503, 307: retriable), DRUID_UNAUTHORIZED (401, 403),
 * DRUID_REJECTED (400, in Druid's own words; the author of the resource has to act),
 * DRUID_FAILED (other 5xx; retriable, and after a POST the supervisor may have vanished: look again).
 */
export interface DruidClient {
  /** Every supervisor of the Druid that the login may see, by id, in one call. */
  overview(): Promise<ReadonlyMap<string, SupervisorOverview>>
  /** The specification with every default written out, as Druid echoes it. */
  supervisor(id: string): Promise<JsonObject | undefined>
  /** Newest first. A `noop` specification is the tombstone of a terminated supervisor. */
  history(id: string): Promise<SupervisorVersion[]>
  status(id: string): Promise<SupervisorStatus | undefined>
  /**
   * Creates or updates; an unmodified specification restarts nothing (Druid 33 and newer). A rejection by timeout
   * says nothing about what Druid did. Writes to one endpoint are sent one after the other, because Druid
   * holds one lock for all of its supervisors.
   */
  applySupervisor(spec: JsonObject): Promise<void>
  /**
   * Has Druid read some records as this specification says, without a supervisor; up to about 2 s for a topic with fewer.
   * Rejects as applySupervisor does.
   */
  sample(spec: JsonObject): Promise<Sample>
  suspend(id: string): Promise<Outcome>
  resume(id: string): Promise<Outcome>
  terminate(id: string): Promise<Outcome>
  /**
   * Has the tasks of these groups publish what they have read, and new ones go on; groups that do not exist are
   * passed over.
   */
  handOff(id: string, groups: readonly number[]): Promise<void>
  /** Tasks of the datasource, newest first. */
  tasks(dataSource: string, state: 'running' | 'complete', max: number): Promise<DruidTask[]>
  /** Rules of retention that the datasource has of its own, in order. */
  rules(dataSource: string): Promise<JsonObject[]>
  /** An empty list takes its own rules away: then the default ones hold. */
  setRules(dataSource: string, rules: readonly JsonObject[]): Promise<void>
  /** Its automatic compaction. */
  compaction(dataSource: string): Promise<JsonObject | undefined>
  setCompaction(dataSource: string, config: JsonObject): Promise<void>
  removeCompaction(dataSource: string): Promise<void>
  lookup(tier: string, name: string): Promise<LookupVersion | undefined>
  /** Druid takes a version only that is greater, as a text, than the one it has; else it rejects with DRUID_FAILED. */
  setLookup(tier: string, name: string, lookup: LookupVersion): Promise<void>
  removeLookup(tier: string, name: string): Promise<void>
  /** Rows of an SQL query as objects. */
  query(sql: string): Promise<JsonObject[]>
}

/** 'already' when Druid says that the supervisor is in the asked state. */
export type Outcome = 'done' | 'already' | 'absent'

export type JsonObject = { readonly [key: string]: Json }

export interface LookupVersion {
  version: string
  /** Its lookupExtractorFactory. */
  factory: JsonObject
}

export interface SupervisorVersion {
  spec: JsonObject
  version: string
}

export interface SupervisorStatus {
  state: string
  detailedState: string
  healthy: boolean
  suspended: boolean
  partitions: number
  /** Absent while Druid has not read the end offsets yet. */
  aggregateLag: number | undefined
  /** By partition; negative when the stored offset is beyond the end of the topic. */
  lagByPartition: Readonly<Record<string, number>>
  /** Partitions of the topic that none of the reading tasks has; empty while no task reads. */
  unread: readonly string[]
  activeTasks: number
  publishingTasks: number
  recentErrors: readonly { time: string; message: string }[]
}

export interface SupervisorOverview
  extends Pick<SupervisorStatus, 'state' | 'detailedState' | 'healthy' | 'suspended'> {
  /** As `supervisor` gives it, without what is there twice. */
  spec: JsonObject
}

export interface DruidTask {
  id: string
  type: string
  status: string
  /** How long ago it was created, by Druid's own clock; undefined when it does not say. */
  ageMs: number | undefined
  errorMessage: string | undefined
}
