import { isDeepStrictEqual } from 'node:util'
import type { DruidDatasource, DruidDatasourceSpec } from './druid-datasource.ts'
import type { LookupVersion } from './druid-client.ts'
import type { SettingStatus } from './settings.ts'
import { settingHash } from './settings.ts'

/** A map that queries of the whole Druid know by its name. */
export interface Lookup {
  readonly name: string
  readonly tier: string
  readonly map: Readonly<Record<string, string>>
}

export const DEFAULT_TIER = '__default'

export function wantedLookups({ lookups = [] }: DruidDatasourceSpec): readonly Lookup[] {
  return lookups.map(({ name, tier = DEFAULT_TIER, map }) => ({ name, tier, map }))
}

const ENTRY = /^lookup ([^/]+)\/(.+)$/

/** The name under which the status keeps it. */
export function entryName({ tier, name }: Pick<Lookup, 'tier' | 'name'>): string {
  return `lookup ${tier}/${name}`
}

export function isLookupEntry({ name }: Pick<SettingStatus, 'name'>): boolean {
  return ENTRY.test(name)
}

/** Lookups of the status that the resource does not name any more. */
export function leftLookups(
  known: readonly SettingStatus[],
  wanted: readonly Lookup[],
): Pick<Lookup, 'tier' | 'name'>[] {
  const names = new Set(wanted.map(entryName))
  return known.flatMap((entry) => {
    const [, tier, name] = ENTRY.exec(entry.name) ?? []
    return tier === undefined || name === undefined || names.has(entry.name) ? [] : [{ tier, name }]
  })
}

export function lookupHash({ map }: Lookup): string {
  return settingHash({ ...map })
}

/** Behind whatever version was there before: Druid takes a lookup only with a greater one than it has. */
const VERSION = /millrace-(\d{12})-(\S+)$/

/** The owner that a version names; undefined for a lookup that was not made by an operator. */
export function ownerOfLookup(version: string): string | undefined {
  return VERSION.exec(version)?.[2]
}

/** A version that Druid takes in place of this one, with the mark of the owner, `namespace/name`. */
export function versionAfter(before: string | undefined, owner: string): string {
  const found = before === undefined ? undefined : VERSION.exec(before)
  const count = String(Number(found?.[1] ?? 0) + 1).padStart(12, '0')
  const prefix = before === undefined ? '' : found ? before.slice(0, found.index) : `${before}~`
  return `${prefix}millrace-${count}-${owner}`
}

export type LookupDecision =
  | { readonly act: 'nothing'; readonly isDrift: boolean }
  | { readonly act: 'write'; readonly isDrift: boolean }
  | { readonly act: 'refuse'; readonly message: string }

type Policies = Pick<DruidDatasourceSpec, 'adoption' | 'driftPolicy'>

/** What to do about a lookup when Druid has `live`. A wish is always followed, a change by others by policy. Pure. */
export function decideLookup(
  wanted: Lookup,
  live: LookupVersion | undefined,
  { known, owner, policies }: { known: SettingStatus | undefined; owner: string; policies: Policies },
): LookupDecision {
  const isWish = known?.hash !== lookupHash(wanted)
  const isSame = live !== undefined && isDeepStrictEqual(live.factory, factoryOf(wanted))
  const of = live === undefined ? owner : ownerOfLookup(live.version)
  if (of !== undefined && of !== owner)
    return { act: 'refuse', message: `it belongs to the DruidDatasource ${of}, not to ${owner}` }
  // a mark that was taken away from what we had set is a change by others
  if (of === undefined && known === undefined) {
    const { adoption = 'IfEqual' } = policies
    if (adoption === 'Always' || (adoption === 'IfEqual' && isSame)) return { act: 'write', isDrift: false }
    const why = adoption === 'Never' ? 'adoption is Never' : 'its map is another one'
    return { act: 'refuse', message: `it was there already and is left as it is: ${why}` }
  }
  if (isSame && of === owner) return { act: 'nothing', isDrift: false }
  if (isWish) return { act: 'write', isDrift: false }
  const { driftPolicy = 'Enforce' } = policies
  return driftPolicy === 'Enforce'
    ? { act: 'write', isDrift: true }
    : { act: 'nothing', isDrift: driftPolicy === 'Warn' }
}

export function factoryOf({ map }: Lookup): { type: 'map'; map: Record<string, string> } {
  return { type: 'map', map: { ...map } }
}

/** `namespace/name`, as versions and marks have it. */
export function lookupOwner({ metadata }: Pick<DruidDatasource, 'metadata'>): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`
}
