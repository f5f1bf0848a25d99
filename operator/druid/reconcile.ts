import { MetDeletions } from '../controller/met-deletions.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import { FINALIZER, druidDatasources } from './druid-datasource.ts'
import type { DruidDatasource } from './druid-datasource.ts'
import type { DruidReconcileParts } from './druid-reconcile-parts.ts'
import { finalize } from './finalize.ts'
import { Pass } from './pass.ts'
import { SharedLooks } from './shared-looks.ts'

/**
 * Reconciles DruidDatasources (see Reconcile): finalizer, deletion, or one pass.
 * Only the time of the next look is remembered, so that our own status writes do not wake us at once.
 */
export function druidReconciler(parts: DruidReconcileParts): (ref: ObjectRef) => Promise<ReconcileResult> {
  const nextLook = new Map<string, { generation: number | undefined; at: number; afterMs: number }>()
  const looks = new SharedLooks(parts.clock)
  const deletions = new MetDeletions()
  return async (ref) => {
    const resource = await unlessNotFound(parts.kube.get(druidDatasources, ref))
    const key = `${ref.namespace}/${ref.name}`
    if (!resource || resource.metadata.deletionTimestamp !== undefined) {
      nextLook.delete(key)
      return resource ? finalize(parts, deletions, resource) : {}
    }
    if (!(resource.metadata.finalizers ?? []).includes(FINALIZER)) return addFinalizer(parts.kube, ref, resource)
    const { generation } = resource.metadata
    const planned = nextLook.get(key)
    const now = parts.clock.now()
    const leftMs = (planned?.at ?? 0) - now
    // More than was planned is left when the clock of the machine was set back.
    if (planned && planned.generation === generation && leftMs > 0 && leftMs <= planned.afterMs)
      return { requeueAfterMs: leftMs }
    nextLook.delete(key)
    const afterMs = await new Pass(parts, looks, resource).run()
    nextLook.set(key, { generation, at: parts.clock.now() + afterMs, afterMs })
    return { requeueAfterMs: afterMs }
  }
}

/** In a pass of its own, before anything is done in Druid that would have to be undone. */
async function addFinalizer(kube: Kube, ref: ObjectRef, { metadata }: DruidDatasource): Promise<ReconcileResult> {
  await kube.patch(druidDatasources, ref, {
    metadata: { resourceVersion: metadata.resourceVersion, finalizers: [...(metadata.finalizers ?? []), FINALIZER] },
  })
  return { requeueAfterMs: 0 }
}
