import { MillraceError } from '../../runtime/model/errors.ts'
import type { EventNote } from '../kube/events.ts'
import type { SettingsParts, SettingsResult } from './apply-settings.ts'
import { replaced } from './apply-settings.ts'
import type { DruidClient } from './druid-client.ts'
import type { DruidDatasource } from './druid-datasource.ts'
import {
  decideLookup,
  entryName,
  factoryOf,
  isLookupEntry,
  leftLookups,
  lookupHash,
  lookupOwner,
  ownerOfLookup,
  versionAfter,
  wantedLookups,
  type Lookup,
} from './lookups.ts'
import type { SettingStatus } from './settings.ts'

/**
 * Has Druid know the lookups of a resource, and forget those that it named before: read, decided, and written only where
 * that is needed. As applySettings; a lookup of somebody else is never touched.
 */
export async function applyLookups(
  client: DruidClient,
  resource: DruidDatasource,
  { note, intend }: SettingsParts,
): Promise<SettingsResult> {
  const all = resource.status?.settings ?? []
  const wanted = wantedLookups(resource.spec)
  let settings = all.filter(isLookupEntry)
  const drift: string[] = []
  for (const lookup of wanted) {
    const before = settings.find(({ name }) => name === entryName(lookup))
    const outcome = await applyOne(
      client,
      { lookup, before, resource },
      {
        note,
        intend: (entry) => intend(replaced(settings, entry)),
      },
    )
    settings = replaced(settings, outcome.status)
    if (outcome.isDrift) drift.push(entryName(lookup))
  }
  for (const left of leftLookups(settings, wanted)) {
    const before = settings.find(({ name }) => name === entryName(left))
    await forget(
      client,
      { lookup: left, before, resource },
      {
        note,
        intend: (entry) => intend(replaced(settings, entry)),
      },
    )
    settings = settings.filter(({ name }) => name !== entryName(left))
  }
  return { settings, drift }
}

/** Takes away the lookups that bear the mark of the resource. */
export async function removeLookups(client: DruidClient, resource: DruidDatasource): Promise<void> {
  const wanted = wantedLookups(resource.spec)
  for (const lookup of [...wanted, ...leftLookups(resource.status?.settings ?? [], wanted)])
    if (await isOwn(client, resource, lookup)) await client.removeLookup(lookup.tier, lookup.name)
}

async function isOwn(
  client: DruidClient,
  resource: DruidDatasource,
  { tier, name }: Pick<Lookup, 'tier' | 'name'>,
): Promise<boolean> {
  const live = await client.lookup(tier, name)
  return live !== undefined && ownerOfLookup(live.version) === lookupOwner(resource)
}

/** The hash of a lookup that is to be removed. */
const GONE = ''

async function forget(
  client: DruidClient,
  { lookup, before, resource }: Wish<Pick<Lookup, 'tier' | 'name'>>,
  { note, intend }: WishParts,
): Promise<void> {
  const [name, { writing, hash = GONE }] = [entryName(lookup), before ?? {}]
  const interrupted = writing?.hash === GONE ? writing.event : undefined
  if (!(await isOwn(client, resource, lookup))) {
    if (interrupted !== undefined) note(interrupted)
    return
  }
  const event = interrupted ?? { type: 'Normal', reason: 'Configured', message: `removed ${name}` }
  await intend({ name, hash, writing: { hash: GONE, event } })
  await client.removeLookup(lookup.tier, lookup.name)
  note(event)
}

interface Wish<Named = Lookup> {
  lookup: Named
  before: SettingStatus | undefined
  resource: DruidDatasource
}

interface WishParts {
  note: (note: EventNote) => void
  intend: (entry: SettingStatus) => Promise<void>
}

async function applyOne(
  client: DruidClient,
  { lookup, before, resource }: Wish,
  { note, intend }: WishParts,
): Promise<{ status: SettingStatus; isDrift: boolean }> {
  const [name, hash, owner] = [entryName(lookup), lookupHash(lookup), lookupOwner(resource)]
  // not sent again until the resource changes
  if (before?.rejected !== undefined && before.hash === hash) return { status: before, isDrift: false }
  const { writing, ...known } = before ?? { name, hash: '' }
  const interrupted = writing?.hash === hash ? writing.event : undefined
  const live = await client.lookup(lookup.tier, lookup.name)
  // one that was refused has never been ours
  const ours = before === undefined || (before.rejected !== undefined && before.hash === '') ? undefined : known
  const decision = decideLookup(lookup, live, { known: ours, owner, policies: resource.spec })
  if (decision.act === 'refuse') {
    const { message } = decision
    if (known.rejected !== message) note({ type: 'Warning', reason: 'Rejected', message: `${name}: ${message}` })
    return { status: { name, hash: '', rejected: message }, isDrift: false }
  }
  if (decision.act === 'nothing') {
    if (interrupted !== undefined) note(interrupted)
    return { status: { name, hash }, isDrift: decision.isDrift }
  }
  const event = interrupted ?? writtenNote(name, decision.isDrift)
  await intend({ name, hash: known.hash, writing: { hash, event } })
  try {
    const version = versionAfter(live?.version, owner)
    await client.setLookup(lookup.tier, lookup.name, { version, factory: factoryOf(lookup) })
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'DRUID_REJECTED') throw error
    note({ type: 'Warning', reason: 'Rejected', message: `Druid refused ${name}: ${error.message}` })
    return { status: { name, hash, rejected: error.message }, isDrift: false }
  }
  note(event)
  return { status: { name, hash }, isDrift: false }
}

function writtenNote(name: string, isDrift: boolean): EventNote {
  return isDrift
    ? { type: 'Warning', reason: 'DriftCorrected', message: `someone else changed ${name}; corrected` }
    : { type: 'Normal', reason: 'Configured', message: `set ${name}` }
}
