import { isFields } from '../../runtime/model/fields.ts'
import { normalizedPath, type OpenedAs, type Reach } from '../../runtime/model/reach.ts'
import type { StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import { templateFor } from './job-defaults.ts'
import type { JobDefaults } from './job-defaults.ts'
import type { PodSettings } from './job-pod.ts'
import { ownStoreFolder } from './store-volume.ts'

/** A driver that brings secrets of a vault into a volume. */
const SECRETS_DRIVER = 'secrets-store.csi.k8s.io'
/** Parts of a projected volume that are secrets. */
const SECRET_SOURCES = ['secret', 'serviceAccountToken', 'clusterTrustBundle']

/**
 * What the connectors of a job may reach: the volumes that its template mounts, each by its kind, its own folder of the
 * checkpoint volume, and what the settings add. Undefined where the settings draw no bound. Setting
 * the template takes the right to create pods; an author who sets only the graph reaches nothing else.
 */
export function reachOf(job: StreamJob, spec: StreamJobSpec, settings: PodSettings): Reach | undefined {
  const { reach } = settings
  if (reach === undefined) return undefined
  const mounts = mountsOf(spec, settings.defaults)
  const own = ownStoreFolder(job, spec.checkpoints?.store ?? settings.store, settings.storeVolume)
  return {
    files: [...reach.files.map(normalizedPath), ...pathsOf(mounts, 'file'), ...(own === undefined ? [] : [own.path])],
    secrets: pathsOf(mounts, 'secret'),
    addresses: reach.addresses,
  }
}

interface Mount {
  path: string
  as: OpenedAs
}

function mountsOf(job: StreamJobSpec, defaults: JobDefaults | undefined): Mount[] {
  const { spec, container } = templateFor(job, defaults)
  const volumes = new Map(fieldsIn(spec['volumes']).map((volume) => [volume['name'], volume]))
  return fieldsIn(container['volumeMounts']).flatMap(({ name, mountPath }) => {
    const volume = volumes.get(name)
    return volume === undefined || typeof mountPath !== 'string' || !mountPath.startsWith('/')
      ? []
      : [{ path: normalizedPath(mountPath), as: holdsSecrets(volume) ? 'secret' : 'file' } satisfies Mount]
  })
}

function holdsSecrets({ secret, projected, csi }: Readonly<Record<string, unknown>>): boolean {
  if (secret !== undefined) return true
  if (isFields(csi) && csi['driver'] === SECRETS_DRIVER) return true
  const sources = isFields(projected) ? fieldsIn(projected['sources']) : []
  return sources.some((source) => SECRET_SOURCES.some((kind) => kind in source))
}

function pathsOf(mounts: readonly Mount[], as: OpenedAs): string[] {
  return mounts.filter((mount) => mount.as === as).map(({ path }) => path)
}

function fieldsIn(list: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(list) ? list.filter(isFields) : []
}
