import { posix } from 'node:path'
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
  return path === undefined ? undefined : normalized(path)
}

/**
 * What a pod needs beside its template so that its store is there. Nothing when the template mounts that folder itself,
 * or when the job names a store elsewhere: the claim only ever appears at the operator's own path, since a job's author
 * who may not create pods must not choose which folder of the image it covers.
 */
export function mountedStore(store: string, volume: StoreVolume | undefined, template: PodTemplate): MountedVolumes {
  const folder = storeFolder(store)
  if (volume === undefined || folder === undefined || !isWithin(folder, volume.path) || isMountedBy(template, folder))
    return { volumes: [], mounts: [] }
  return {
    volumes: [{ name: STORE_VOLUME, persistentVolumeClaim: { claimName: volume.claim } }],
    mounts: [{ name: STORE_VOLUME, mountPath: volume.path }],
  }
}

function isMountedBy({ container }: PodTemplate, folder: string): boolean {
  const { volumeMounts } = container
  return (
    Array.isArray(volumeMounts) &&
    volumeMounts.some(
      (mount: { mountPath?: unknown } | null) =>
        typeof mount?.mountPath === 'string' && isWithin(folder, normalized(mount.mountPath)),
    )
  )
}

function isWithin(folder: string, parent: string): boolean {
  return folder === parent || folder.startsWith(`${parent}/`)
}

function normalized(path: string): string {
  return posix.normalize(path).replace(/(.)\/$/, '$1')
}
