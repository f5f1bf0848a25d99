import { MillraceError } from '../../runtime/model/errors.ts'
import type { EventNote } from '../kube/events.ts'
import { fewPaths } from './compare-spec.ts'
import type { DruidClient } from './druid-client.ts'
import type { DruidDatasource } from './druid-datasource.ts'
import { dataSourceOf } from './druid-datasource.ts'
import type { Json } from './json.ts'
import type { Setting, SettingStatus } from './settings.ts'
import { decideSetting, settingDifferences, settingHash, wantedSettings } from './settings.ts'

export interface SettingsResult {
  settings: SettingStatus[]
  drift: readonly string[]
}

export interface SettingsParts {
  /** An Event that follows from the settings that are returned. */
  note: (note: EventNote) => void
  /** Writes the settings into the status, before Druid is asked to change one of them. */
  intend: (settings: SettingStatus[]) => Promise<void>
}

/**
 * Has Druid keep retention and compaction as the resource says: read, compared, and written only where they differ, so
 * that a pass that is repeated after a crash writes nothing twice. The intent of a write is in the status before it, so
 * that its Event is reported whoever ends it. Throws the errors of DruidClient but DRUID_REJECTED.
 */
export async function applySettings(
  client: DruidClient,
  resource: DruidDatasource,
  parts: SettingsParts,
): Promise<SettingsResult> {
  const known = resource.status?.settings ?? []
  const wishes = wantedSettings(resource)
  const settings = wishes.flatMap(({ setting }) => known.find(({ name }) => name === setting.name) ?? [])
  const drift: string[] = []
  for (const wish of wishes) {
    const live = await wish.setting.read(client, dataSourceOf(resource))
    const before = settings.find(({ name }) => name === wish.setting.name)
    const outcome = await applyOne(
      client,
      { ...wish, live, before, resource },
      {
        note: parts.note,
        intend: (intent) => parts.intend(replaced(settings, intent)),
      },
    )
    settings.splice(0, settings.length, ...replaced(settings, outcome.status))
    drift.push(...outcome.drift)
  }
  return { settings, drift }
}

/** The settings with this one in place of that of its name. */
export function replaced(settings: readonly SettingStatus[], by: SettingStatus): SettingStatus[] {
  return [...settings.filter(({ name }) => name !== by.name), by]
}

interface Wish {
  setting: Setting
  wanted: Json
  live: Json
  before: SettingStatus | undefined
  resource: DruidDatasource
}

interface WishParts {
  note: (note: EventNote) => void
  intend: (intent: SettingStatus) => Promise<void>
}

async function applyOne(
  client: DruidClient,
  wish: Wish,
  { note, intend }: WishParts,
): Promise<{ status: SettingStatus; drift: readonly string[] }> {
  const { setting, wanted, live, before, resource } = wish
  const { name } = setting
  const hash = settingHash(wanted)
  const { writing, ...known } = before ?? { name, hash: '' }
  const interrupted = writing?.hash === hash ? writing.event : undefined
  const decision = decideSetting(name, wanted, live, { known, driftPolicy: resource.spec.driftPolicy })
  if (decision.act === 'nothing') {
    if (interrupted !== undefined) note(interrupted)
    return { status: known.hash === hash ? known : { name, hash }, drift: decision.drift }
  }
  const event = interrupted ?? writtenNote(wish, decision.isDrift)
  await intend({ ...known, writing: { hash, event } })
  return { status: await write(client, wish, { note, event }), drift: [] }
}

function writtenNote({ setting: { name }, wanted, resource }: Wish, isDrift: boolean): EventNote {
  const what = `${name} of datasource '${dataSourceOf(resource)}'`
  if (isDrift) return { type: 'Warning', reason: 'DriftCorrected', message: `someone else changed ${what}; corrected` }
  return { type: 'Normal', reason: 'Configured', message: `${wanted === null ? 'removed' : 'set'} ${what}` }
}

async function write(
  client: DruidClient,
  { setting, wanted, resource }: Wish,
  { note, event }: { note: (note: EventNote) => void; event: EventNote },
): Promise<SettingStatus> {
  const { name } = setting
  const dataSource = dataSourceOf(resource)
  const hash = settingHash(wanted)
  try {
    await setting.write(client, dataSource, wanted)
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'DRUID_REJECTED') throw error
    note({ type: 'Warning', reason: 'Rejected', message: `Druid refused ${name}: ${error.message}` })
    return { name, hash, rejected: error.message }
  }
  const unkept = fewPaths(settingDifferences(name, wanted, await setting.read(client, dataSource)))
  note(event)
  return { name, hash, ...(unkept.length === 0 ? {} : { unkept }) }
}

/** Takes away what the resource had set, for a datasource that nobody fills any more. */
export async function removeSettings(client: DruidClient, resource: DruidDatasource): Promise<void> {
  for (const { setting, wanted } of wantedSettings(resource)) {
    if (wanted === null) continue
    const dataSource = dataSourceOf(resource)
    if ((await setting.read(client, dataSource)) !== null) await setting.write(client, dataSource, null)
  }
}
