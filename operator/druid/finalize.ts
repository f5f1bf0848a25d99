import { describeWithCauses } from '../../runtime/model/errors.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import type { MetDeletions } from '../controller/met-deletions.ts'
import type { EventNote } from '../kube/events.ts'
import { hasUntold, TELL_AGAIN_MS, TELLING_PATIENCE_MS } from '../kube/tell-untold.ts'
import { removeLookups } from './apply-lookups.ts'
import { removeSettings } from './apply-settings.ts'
import { useProblem } from './allowed-use.ts'
import type { DruidClient, JsonObject } from './druid-client.ts'
import type { DruidDatasource } from './druid-datasource.ts'
import { FINALIZER, dataSourceOf, druidDatasources } from './druid-datasource.ts'
import { tellDatasource } from './pass-record.ts'
import { readAccess } from './read-access.ts'
import type { DruidReconcileParts } from './druid-reconcile-parts.ts'
import { isMarkedElsewhere, markOwnerOf, ownerOf } from './supervisor-spec.ts'

const DEFAULT_TIMEOUT_MS = 5 * 60_000
const RETRY_MS = 2_000
/** A specification that was never answered may take effect this much later: Druid holds one lock for all supervisors. */
const LATE_MS = 60_000

/** What is still in the way, or what is to be reported of a policy that has been carried out. */
type Outcome = { kind: 'left'; what: string } | { kind: 'done'; notes: readonly EventNote[] }

const DONE: Outcome = { kind: 'done', notes: [] }

/**
 * Deletion: does what `spec.deletionPolicy` says and releases the resource. Ends within `spec.deletionTimeout` of being
 * met, whatever Druid does, and half a minute later whatever happens to its Events; what is then left behind is named in an
 * Event. Data in Druid is never touched.
 */
export async function finalize(
  parts: DruidReconcileParts,
  deletions: MetDeletions,
  read: DruidDatasource,
): Promise<ReconcileResult> {
  if (!(read.metadata.finalizers ?? []).includes(FINALIZER)) return {}
  const resource = await tellDatasource(parts, read)
  const outcome = underWay(parts, resource, await afterPolicy(parts, resource))
  const { uid = '' } = resource.metadata
  const now = parts.kube.now()
  const leftMs = deletions.metAt(uid, now) + timeoutMs(resource) - now
  if (outcome.kind === 'left' && leftMs > 0) {
    await parts.events.record(resource, { type: 'Warning', reason: 'DeletionWaits', message: outcome.what })
    return { requeueAfterMs: Math.min(RETRY_MS, leftMs) }
  }
  const notes = outcome.kind === 'done' ? outcome.notes : [leftBehind(outcome.what)]
  const isTold = (await tellLast(parts, resource, notes)) === 'written' && !hasUntold(resource)
  if (!isTold && leftMs > -TELLING_PATIENCE_MS) return { requeueAfterMs: TELL_AGAIN_MS }
  const released = await release(parts, resource)
  deletions.forget(uid)
  return released
}

function leftBehind(what: string): EventNote {
  const message = `released after the deletion timeout; left behind: ${what}`
  return { type: 'Warning', reason: 'DeletedWithLeftovers', message }
}

/** Nothing can be reported of a resource that is gone. */
async function tellLast(
  { events }: DruidReconcileParts,
  resource: DruidDatasource,
  notes: readonly EventNote[],
): Promise<'written' | 'later'> {
  const { uid = '' } = resource.metadata
  let told: 'written' | 'later' = 'written'
  for (const note of notes)
    if ((await events.recordOnce(resource, { id: `${uid}-deletion-${note.reason}`, ...note })) === 'later')
      told = 'later'
  return told
}

function timeoutMs({ spec }: DruidDatasource): number {
  return parseDurationMs(spec.deletionTimeout ?? '') ?? DEFAULT_TIMEOUT_MS
}

/** A write whose answer no operator has heard: the supervisor that it makes would belong to nobody. */
function underWay({ kube }: DruidReconcileParts, { spec, status }: DruidDatasource, outcome: Outcome): Outcome {
  const sentAt = Date.parse(status?.applying?.time ?? '')
  const isOver = spec.deletionPolicy === 'Retain' || !(kube.now() < sentAt + LATE_MS)
  if (outcome.kind === 'left' || isOver) return outcome
  const what = `the specification that was sent at ${status?.applying?.time ?? ''}: Druid has not answered, and may still act on it`
  return { kind: 'left', what }
}

async function afterPolicy(parts: DruidReconcileParts, resource: DruidDatasource): Promise<Outcome> {
  const policy = resource.spec.deletionPolicy ?? 'Suspend'
  const id = dataSourceOf(resource)
  if (policy === 'Retain') return DONE
  const name = resource.spec.druid?.name ?? 'default'
  const isMade = resource.status?.applied !== undefined
  const druid = parts.druids.find(name)
  // a resource whose Druid was never known to the operator has made nothing there
  if (!druid)
    return isMade
      ? { kind: 'left', what: `supervisor '${id}': the operator no longer knows the Druid '${name}'` }
      : DONE
  if (useProblem(name, druid.allowed, resource))
    return isMade ? leftAlone(id, 'may no longer be used from this namespace') : DONE
  try {
    const client = druid.client(await readAccess(parts.kube, resource, druid.address))
    const live = await client.supervisor(id)
    if (live && !isOurs(parts, resource, live)) return leftAlone(id, 'does not belong to this resource')
    const isLive = live !== undefined
    return policy === 'Suspend'
      ? await suspend(client, id, { isLive })
      : await terminate(client, resource, { id, isLive })
  } catch (error) {
    return { kind: 'left', what: `supervisor '${id}': ${describeWithCauses(error)}` }
  }
}

function isOurs({ leadership }: DruidReconcileParts, resource: DruidDatasource, live: JsonObject): boolean {
  const owner = markOwnerOf(resource, leadership.turn())
  return ownerOf(live) === owner.name && !isMarkedElsewhere(live, owner)
}

function leftAlone(id: string, why: string): Outcome {
  const message = `supervisor '${id}' ${why} and is left as it is`
  return { kind: 'done', notes: [{ type: 'Warning', reason: 'LeftAlone', message }] }
}

async function suspend(client: DruidClient, id: string, { isLive }: { isLive: boolean }): Promise<Outcome> {
  if (!isLive) return DONE
  await client.suspend(id)
  const message = `supervisor '${id}' is suspended and keeps its offsets; an equal DruidDatasource takes it up again`
  return { kind: 'done', notes: [{ type: 'Normal', reason: 'Suspended', message }] }
}

/** A task may outlive its supervisor (one that was just started is not found by the stop), so tasks are asked for. */
async function terminate(
  client: DruidClient,
  resource: DruidDatasource,
  { id, isLive }: { id: string; isLive: boolean },
): Promise<Outcome> {
  if (!isLive && !resource.status?.applied) return DONE
  await removeLookups(client, resource)
  if (isLive) {
    await removeSettings(client, resource)
    await client.terminate(id)
  }
  const running = (await client.tasks(id, 'running', 20)).filter((task) => task.type.startsWith('index_kafka'))
  if (running.length === 0) return DONE
  const what = `tasks of the terminated supervisor '${id}' still publish or read: ${running.map((task) => task.id).join(', ')}`
  return { kind: 'left', what }
}

async function release(parts: DruidReconcileParts, { metadata }: DruidDatasource): Promise<ReconcileResult> {
  const { namespace = 'default', name, resourceVersion, finalizers = [] } = metadata
  await parts.kube.patch(
    druidDatasources,
    { namespace, name },
    {
      metadata: { resourceVersion, finalizers: finalizers.filter((finalizer) => finalizer !== FINALIZER) },
    },
  )
  return {}
}
