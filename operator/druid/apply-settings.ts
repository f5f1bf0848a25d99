import { MillraceError } from '../../runtime/model/errors.ts'
import type { EventNote } from '../kube/events.ts'
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

/**
 * Has Druid keep retention and compaction as the resource says: read, compared, and written only where they differ, so
 * that a pass that is repeated after a crash writes nothing twice. Each write is reported by `tell`. Throws the errors
 * of DruidClient but DRUID_REJECTED.
 */
export async function applySettings(
  client: DruidClient,
  resource: DruidDatasource,
  tell: (note: EventNote) => Promise<void>,
): Promise<SettingsResult> {
  const settings: SettingStatus[] = []
  const drift: string[] = []
  for (const { setting, wanted } of wantedSettings(resource)) {
    const known = resource.status?.settings?.find(({ name }) => name === setting.name)
    const { driftPolicy } = resource.spec
    const live = await setting.read(client, dataSourceOf(resource))
    const decision = decideSetting(setting.name, wanted, live, { known, driftPolicy })
    if (decision.act === 'write') {
      settings.push(await write(client, resource, { setting, wanted }, { tell, isDrift: decision.isDrift }))
    } else {
      settings.push({ name: setting.name, ...known, hash: settingHash(wanted) })
      drift.push(...decision.drift)
    }
  }
  return { settings, drift }
}

async function write(
  client: DruidClient,
  resource: DruidDatasource,
  { setting, wanted }: { setting: Setting; wanted: Json },
  { tell, isDrift }: { tell: (note: EventNote) => Promise<void>; isDrift: boolean },
): Promise<SettingStatus> {
  const { name } = setting
  const dataSource = dataSourceOf(resource)
  const hash = settingHash(wanted)
  try {
    await setting.write(client, dataSource, wanted)
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'DRUID_REJECTED') throw error
    await tell({ type: 'Warning', reason: 'Rejected', message: `Druid refused ${name}: ${error.message}` })
    return { name, hash, rejected: error.message }
  }
  const unkept = settingDifferences(name, wanted, await setting.read(client, dataSource))
  await tell(
    isDrift
      ? {
          type: 'Warning',
          reason: 'DriftCorrected',
          message: `someone else changed ${name} of datasource '${dataSource}'; corrected`,
        }
      : {
          type: 'Normal',
          reason: 'Configured',
          message: `${wanted === null ? 'removed' : 'set'} ${name} of datasource '${dataSource}'`,
        },
  )
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
