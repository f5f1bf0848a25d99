import { isInFolder, normalizedPath } from '../../runtime/model/reach.ts'
import type { StreamJob } from '../api/stream-job.ts'
import type { PodTemplate } from './pod-template.ts'
import { STORE_VOLUME } from './pod-template.ts'

/** The volume of the default checkpoint store, as the operator's configuration names it. */
export interface StoreVolume {
  /** Name of a PersistentVolumeClaim in the namespace of each job. */
  claim: string
  /** Where it is mounted: the folder of the default store. */
  path: string
}

export interface MountedVolumes {
  volumes: readonly unknown[]
  mounts: readonly unknown[]
}

/** The folder that a store names: `file:///folder` or an absolute path, normalized; undefined for anything else. */
export function storeFolder(store: string): string | undefined {
  const path = /^(?:file:\/\/)?(\/[^:%?#]*)$/.exec(store)?.[1]
  return path === undefined ? undefined : normalizedPath(path)
}

/**
 * The folder of a job in the volume: where the pods see it, and its place in the claim. It is where the runtime keeps
 * the job's checkpoints (storeFolder of runtime/config.ts). Undefined when the job names a store elsewhere.
 */
export function ownStoreFolder(
  { metadata }: StreamJob,
  store: string,
  volume: StoreVolume | undefined,
): { path: string; subPath: string } | undefined {
  const folder = storeFolder(store)
  if (volume === undefined || folder === undefined || !isInFolder(folder, volume.path)) return undefined
  const path = `${folder}/${metadata.namespace ?? 'default'}/${metadata.name}/${metadata.uid ?? ''}`
  return { path, subPath: path.slice(volume.path.length + 1) }
}

/**
 * What a pod needs beside its template so that its store is there: the job's own folder of the claim, and no other
 * job's. The coordinator of a job that restores reads the state of another one: it sees the claim, and cannot write it.
 * Nothing when the template mounts that folder itself, or when the job names a store elsewhere: the claim only ever
 * appears at the operator's own path, since a job's author who may not create pods must not choose which folder of the
 * image it covers.
 */
export function mountedStore(
  job: StreamJob,
  store: string,
  volume: StoreVolume | undefined,
  { template, seesOthers }: { template: PodTemplate; seesOthers: boolean },
): MountedVolumes {
  const own = ownStoreFolder(job, store, volume)
  if (volume === undefined || own === undefined || isMountedBy(template, storeFolder(store) ?? own.path))
    return { volumes: [], mounts: [] }
  const ofOthers = { name: STORE_VOLUME, mountPath: volume.path, readOnly: true }
  return {
    volumes: [{ name: STORE_VOLUME, persistentVolumeClaim: { claimName: volume.claim } }],
    mounts: [...(seesOthers ? [ofOthers] : []), { name: STORE_VOLUME, mountPath: own.path, subPath: own.subPath }],
  }
}

function isMountedBy({ container }: PodTemplate, folder: string): boolean {
  const { volumeMounts } = container
  return (
    Array.isArray(volumeMounts) &&
    volumeMounts.some(
      (mount: { mountPath?: unknown } | null) =>
        typeof mount?.mountPath === 'string' && isInFolder(folder, normalizedPath(mount.mountPath)),
    )
  )
}
