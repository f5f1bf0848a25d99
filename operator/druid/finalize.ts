import { describeWithCauses } from '../../runtime/model/errors.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import type { EventNote } from '../kube/events.ts'
import { removeSettings } from './apply-settings.ts'
import { useProblem } from './allowed-use.ts'
import type { DruidClient } from './druid-client.ts'
import type { DruidDatasource } from './druid-datasource.ts'
import { FINALIZER, dataSourceOf, druidDatasources } from './druid-datasource.ts'
import { readAccess } from './read-access.ts'
import type { DruidReconcileParts } from './druid-reconcile-parts.ts'
import { isMarkedElsewhere, markOwnerOf, ownerOf } from './supervisor-spec.ts'

const DEFAULT_TIMEOUT_MS = 5 * 60_000
const RETRY_MS = 2_000
/** A specification that was never answered may take effect this much later: Druid holds one lock for all supervisors. */
const LATE_MS = 60_000
/** So long after its deadline a deletion waits for an Event that cannot be written. */
const TELLING_PATIENCE_MS = 30_000

/**
 * Deletion: does what `spec.deletionPolicy` says and releases the resource. Ends within `spec.deletionTimeout`
 * whatever Druid does; what is then left behind is named in an Event. Data in Druid is never touched.
 */
export async function finalize(parts: DruidReconcileParts, resource: DruidDatasource): Promise<ReconcileResult> {
  if (!(resource.metadata.finalizers ?? []).includes(FINALIZER)) return {}
  const leftover = (await leftoverAfterPolicy(parts, resource)) ?? underWay(parts, resource)
  if (leftover === undefined) return release(parts, resource)
  const deadline = Date.parse(resource.metadata.deletionTimestamp ?? '') + timeoutMs(resource)
  const leftMs = deadline - parts.kube.now()
  if (leftMs > 0) {
    await tell(parts, resource, { type: 'Warning', reason: 'DeletionWaits', message: leftover })
    return { requeueAfterMs: Math.min(RETRY_MS, leftMs) }
  }
  const told = await parts.events.recordOnce(resource, {
    id: `${resource.metadata.uid ?? ''}-released`,
    type: 'Warning',
    reason: 'DeletedWithLeftovers',
    message: `released after the deletion timeout; left behind: ${leftover}`,
  })
  if (told === 'later' && leftMs > -TELLING_PATIENCE_MS) return { requeueAfterMs: RETRY_MS }
  return release(parts, resource)
}

function timeoutMs({ spec }: DruidDatasource): number {
  return parseDurationMs(spec.deletionTimeout ?? '') ?? DEFAULT_TIMEOUT_MS
}

/** A write whose answer no operator has heard: the supervisor that it makes would belong to nobody. */
function underWay({ kube }: DruidReconcileParts, { spec, status }: DruidDatasource): string | undefined {
  const sentAt = Date.parse(status?.applying?.time ?? '')
  if (spec.deletionPolicy === 'Retain' || !(kube.now() < sentAt + LATE_MS)) return undefined
  return `the specification that was sent at ${status?.applying?.time ?? ''}: Druid has not answered, and may still act on it`
}

/** Acts by policy; returns what is still in the way. */
async function leftoverAfterPolicy(parts: DruidReconcileParts, resource: DruidDatasource): Promise<string | undefined> {
  const policy = resource.spec.deletionPolicy ?? 'Suspend'
  const id = dataSourceOf(resource)
  if (policy === 'Retain') return undefined
  const name = resource.spec.druid?.name ?? 'default'
  const druid = parts.druids.find(name)
  // a resource whose Druid was never known to the operator has made nothing there
  if (!druid)
    return resource.status?.applied ? `supervisor '${id}': the operator no longer knows the Druid '${name}'` : undefined
  if (useProblem(name, druid.allowed, resource)) {
    if (resource.status?.applied) await tellLeftAlone(parts, resource, id, 'may no longer be used from this namespace')
    return undefined
  }
  try {
    const client = druid.client(await readAccess(parts.kube, resource, druid.address))
    return policy === 'Suspend'
      ? await suspend(parts, client, resource, id)
      : await terminate(parts, client, resource, id)
  } catch (error) {
    return `supervisor '${id}': ${describeWithCauses(error)}`
  }
}

async function suspend(
  parts: DruidReconcileParts,
  client: DruidClient,
  resource: DruidDatasource,
  id: string,
): Promise<undefined> {
  if (await isOurs(parts, client, resource, id)) {
    await client.suspend(id)
    await tell(parts, resource, {
      type: 'Normal',
      reason: 'Suspended',
      message: `supervisor '${id}' is suspended and keeps its offsets; an equal DruidDatasource takes it up again`,
    })
  }
  return undefined
}

/** A task may outlive its supervisor (one that was just started is not found by the stop), so tasks are asked for. */
async function terminate(
  parts: DruidReconcileParts,
  client: DruidClient,
  resource: DruidDatasource,
  id: string,
): Promise<string | undefined> {
  const live = await client.supervisor(id)
  if (live) {
    if (!(await isOurs(parts, client, resource, id))) return undefined
    await removeSettings(client, resource)
    await client.terminate(id)
  } else if (!resource.status?.applied) {
    return undefined
  }
  const running = (await client.tasks(id, 'running', 20)).filter((task) => task.type.startsWith('index_kafka'))
  if (running.length === 0) return undefined
  return `tasks of the terminated supervisor '${id}' still publish or read: ${running.map((task) => task.id).join(', ')}`
}

async function isOurs(
  parts: DruidReconcileParts,
  client: DruidClient,
  resource: DruidDatasource,
  id: string,
): Promise<boolean> {
  const live = await client.supervisor(id)
  if (!live) return false
  const owner = markOwnerOf(resource, parts.leadership.turn())
  if (ownerOf(live) === owner.name && !isMarkedElsewhere(live, owner)) return true
  await tellLeftAlone(parts, resource, id, 'does not belong to this resource')
  return false
}

async function tellLeftAlone(
  parts: DruidReconcileParts,
  resource: DruidDatasource,
  id: string,
  why: string,
): Promise<void> {
  const message = `supervisor '${id}' ${why} and is left as it is`
  await tell(parts, resource, { type: 'Warning', reason: 'LeftAlone', message })
}

async function tell(parts: DruidReconcileParts, resource: DruidDatasource, note: EventNote): Promise<void> {
  await parts.events.record(resource, note)
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
