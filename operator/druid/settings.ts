import { createHash } from 'node:crypto'
import { isFields } from '../../runtime/model/fields.ts'
import type { EventNote } from '../kube/events.ts'
import { textWithoutNulls } from '../kube/text-without-nulls.ts'
import { pathsBeside, subsetDifferences } from './compare-spec.ts'
import type { DruidClient, JsonObject } from './druid-client.ts'
import type { DruidDatasource, DruidDatasourceSpec } from './druid-datasource.ts'
import type { Json } from './json.ts'

/** Something that a datasource has in Druid beside its supervisor; it bears no mark. */
export interface Setting {
  name: 'retention' | 'compaction'
  /** Undefined when the resource leaves it alone; null when it wants none. */
  wanted(spec: DruidDatasourceSpec): Json | undefined
  /** Null when there is none. */
  read(client: DruidClient, dataSource: string): Promise<Json>
  write(client: DruidClient, dataSource: string, value: Json): Promise<void>
}

/** The last that was done about a setting. */
export interface SettingStatus {
  name: string
  /** Hash of the value that the resource asked for. */
  hash: string
  /** Paths that Druid gives back otherwise than they were sent: no drift. */
  unkept?: string[]
  /** In Druid's words; not sent again until the resource changes. */
  rejected?: string
  /** Intent: a value whose sending has begun, and the Event that reports its end. */
  writing?: { hash: string; event: EventNote }
}

export const SETTINGS: readonly Setting[] = [
  {
    name: 'retention',
    wanted: ({ retention }) => (retention?.length === 0 ? null : (retention as Json | undefined)),
    read: async (client, dataSource) => {
      const rules = await client.rules(dataSource)
      return rules.length === 0 ? null : rules
    },
    write: (client, dataSource, rules) => client.setRules(dataSource, Array.isArray(rules) ? objectsOf(rules) : []),
  },
  {
    name: 'compaction',
    wanted: wantedCompaction,
    read: async (client, dataSource) => (await client.compaction(dataSource)) ?? null,
    write: (client, dataSource, config) =>
      isFields(config) ? client.setCompaction(dataSource, config as JsonObject) : client.removeCompaction(dataSource),
  },
]

export type SettingDecision =
  | { act: 'nothing'; drift: readonly string[] }
  | { act: 'write'; isDrift: boolean; paths: readonly string[] }

/** Whether to write, when Druid has `live`. A wish is always followed, a change by others by policy. Pure. */
export function decideSetting(
  name: string,
  wanted: Json,
  live: Json,
  { known, driftPolicy }: { known: SettingStatus | undefined; driftPolicy: DruidDatasourceSpec['driftPolicy'] },
): SettingDecision {
  const isWish = known?.hash !== settingHash(wanted)
  const paths = pathsBeside(isWish ? [] : known.unkept, settingDifferences(name, wanted, live))
  if (paths.length === 0 || (!isWish && known.rejected !== undefined)) return { act: 'nothing', drift: [] }
  if (isWish) return { act: 'write', isDrift: false, paths }
  if ((driftPolicy ?? 'Enforce') === 'Enforce') return { act: 'write', isDrift: true, paths }
  return { act: 'nothing', drift: driftPolicy === 'Ignore' ? [] : paths }
}

export function settingDifferences(name: string, wanted: Json, live: Json): string[] {
  if (wanted === null || live === null) return wanted === live ? [] : [name]
  return subsetDifferences(wanted, live, name)
}

export function settingHash(wanted: Json): string {
  return createHash('sha256').update(textWithoutNulls(wanted)).digest('hex').slice(0, 16)
}

/** Settings that the resource says something about. */
export function wantedSettings({ spec }: Pick<DruidDatasource, 'spec'>): { setting: Setting; wanted: Json }[] {
  return SETTINGS.flatMap((setting) => {
    const wanted = setting.wanted(spec)
    return wanted === undefined ? [] : [{ setting, wanted }]
  })
}

/** Our own supervisors take concurrent locks, so that compaction and ingestion do not keep each other out. */
function wantedCompaction({ compaction, rawSpec }: DruidDatasourceSpec): Json | undefined {
  if (compaction === undefined) return undefined
  if (compaction.enabled === false) return null
  const config = (compaction.config ?? {}) as JsonObject
  if (rawSpec !== undefined) return config
  const taskContext = config['taskContext']
  return { ...config, taskContext: { useConcurrentLocks: true, ...(isFields(taskContext) ? taskContext : {}) } }
}

function objectsOf(list: readonly Json[]): JsonObject[] {
  return list.filter(isFields) as JsonObject[]
}
