import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { JobLog } from '../runtime/checkpoint/job-log.ts'
import { scopedStore } from '../runtime/checkpoint/scoped-store.ts'
import { suggestion } from '../runtime/expressions/suggest.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { objectsEnvironment, openObjects } from '../runtime/ports/real/open-objects.ts'
import { builtinStores, openAnyStore } from '../runtime/builtin-stores.ts'
import { schemeOf } from '../runtime/ports/store.ts'

/** Runs of a job on this machine, in the folder of their checkpoints. */
export interface EarlierRuns {
  readonly store: string
  readonly job: string
}

/** As runtime/config.ts names it for jobs without a cluster. */
function folderOf({ job }: EarlierRuns): string {
  return join('local', job)
}

/** How many of the newest runs are looked at: nobody remembers older ones. */
const LOOKED_AT = 10

/** Throws RUN_UNKNOWN where no run of that id has kept state: a typo must not begin from nothing. */
export async function checkRunExists(runs: EarlierRuns, id: string): Promise<void> {
  const ids = await idsOf(runs)
  const log = ids.includes(id) ? await logOf(runs, id) : undefined
  if (log !== undefined && log.attempt > 0) return
  throw new MillraceError('RUN_UNKNOWN', `no run "${id}" of the job ${runs.job} has kept state in ${runs.store}`, {
    domain: 'user',
    hint: suggestion(id, ids) ?? 'leave out --resume to begin anew',
  })
}

/** The newest run that has state and has neither finished nor been suspended; undefined when there is none. */
export async function unfinishedRun(runs: EarlierRuns): Promise<string | undefined> {
  for (const id of (await idsOf(runs)).slice(0, LOOKED_AT)) {
    const log = await logOf(runs, id)
    if (log?.newest !== undefined && log.ended !== 'finished') return id
  }
  return undefined
}

/** The newest first; in no order where the store tells no times. */
async function idsOf(runs: EarlierRuns): Promise<string[]> {
  const scheme = schemeOf(runs.store)
  if (Object.hasOwn(builtinStores, scheme)) return idsInTable(runs)
  if (scheme !== 'file') return idsInObjects(runs)
  const folder = join(runs.store, folderOf(runs))
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, at: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at)
    .map(({ name }) => name)
}

/** The newest object of a run says when it was last alive. */
async function idsInObjects(runs: EarlierRuns): Promise<string[]> {
  const folder = `${folderOf(runs)}/`
  const newest = new Map<string, number>()
  for await (const { path, modifiedMs } of openObjects(runs.store, objectsEnvironment(undefined)).list(folder)) {
    const id = path.slice(folder.length).split('/')[0] ?? ''
    newest.set(id, Math.max(newest.get(id) ?? 0, modifiedMs))
  }
  return [...newest].sort(([, a], [, b]) => b - a).map(([id]) => id)
}

async function idsInTable(runs: EarlierRuns): Promise<string[]> {
  const folder = `${folderOf(runs)}/`
  const paths = await openAnyStore(runs.store).list(folder)
  return [...new Set(paths.map((path) => path.slice(folder.length).split('/')[0] ?? ''))]
}

/** Undefined when it cannot be read: what another version wrote is no reason to refuse a new run. */
async function logOf(runs: EarlierRuns, id: string): Promise<Awaited<ReturnType<typeof JobLog.read>> | undefined> {
  const store = scopedStore(openAnyStore(runs.store), `${folderOf(runs)}/${id}`)
  try {
    return await JobLog.read(store)
  } catch (error) {
    if (error instanceof MillraceError) return undefined
    throw error
  }
}
