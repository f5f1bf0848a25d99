import { MODULES_FOLDER } from '../../runtime/model/user-module.ts'
import type { EnvVar } from '../api/stream-job.ts'
import { isFields } from '../../runtime/model/fields.ts'
import { MODULES_VOLUME } from './pod-template.ts'
import type { MountedVolumes } from './store-volume.ts'

/** What a pod needs so that its modules are there. */
export interface MountedModules extends MountedVolumes {
  env: readonly EnvVar[]
}

/** Modules in ConfigMaps of the job's namespace, mounted as one volume, each in a folder of its name. */
export function mountedModules(modules: Readonly<Record<string, unknown>> = {}): MountedModules {
  const sources = Object.entries(modules).flatMap(([name, module]) => {
    const { configMap, key } = isFields(module) ? module : {}
    return configMap === undefined
      ? []
      : [{ configMap: { name: configMap, items: [{ key, path: `${name}/${String(key)}` }] } }]
  })
  if (sources.length === 0) return { volumes: [], mounts: [], env: [] }
  return {
    volumes: [{ name: MODULES_VOLUME, projected: { sources } }],
    mounts: [{ name: MODULES_VOLUME, mountPath: MODULES_FOLDER, readOnly: true }],
    env: [{ name: 'MILLRACE_MODULES', value: MODULES_FOLDER }],
  }
}
