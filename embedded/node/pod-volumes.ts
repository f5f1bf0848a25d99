import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import type { JsonObject, KubeObject } from '../objects.ts'
import { arrayAt, isObject, numberAt, objectAt, stringAt } from '../objects.ts'
import type { References } from './pod-environment.ts'
import { fieldText, MissingReference } from './pod-environment.ts'
import type { ContainerSpec } from './pod-model.ts'

/** Where mounted volumes really are: pairs of the path in the container and the path on this machine. */
export type PathMapping = readonly { mountPath: string; localPath: string }[]

export interface VolumeFolders {
  /** Folder of this pod; gone with the pod. */
  pod: string
  /** Folder of claims of the pod's namespace; stays. */
  claims: string
}

/**
 * Makes the folders and files of a pod's volumes. Throws MissingReference when a ConfigMap, Secret or item is
 * missing.
 */
export async function materializeVolumes(
  pod: KubeObject,
  folders: VolumeFolders,
  podIp: string,
  references: References,
): Promise<Map<string, string>> {
  const paths = new Map<string, string>()
  for (const volume of arrayAt(pod, 'spec', 'volumes').filter(isObject)) {
    const name = stringAt(volume, 'name') ?? ''
    paths.set(
      name,
      await materialize(volume, safeJoin(join(folders.pod, 'volumes'), name), folders, pod, podIp, references),
    )
  }
  return paths
}

async function materialize(
  volume: JsonObject,
  folder: string,
  folders: VolumeFolders,
  pod: KubeObject,
  podIp: string,
  references: References,
): Promise<string> {
  const hostPath = stringAt(volume, 'hostPath', 'path')
  if (hostPath !== undefined) return hostPath
  const claim = stringAt(volume, 'persistentVolumeClaim', 'claimName')
  const target = claim === undefined ? folder : safeJoin(folders.claims, claim)
  await mkdir(target, { recursive: true, mode: 0o700 })
  const sources = isObject(volume['projected']) ? arrayAt(volume, 'projected', 'sources').filter(isObject) : [volume]
  for (const source of sources) await writeFiles(target, filesOf(source, pod, podIp, references))
  return target
}

interface VolumeFile {
  path: string
  content: Buffer
  mode: number
}

function filesOf(source: JsonObject, pod: KubeObject, podIp: string, references: References): VolumeFile[] {
  if (isObject(source['configMap'])) {
    const reference = source['configMap']
    const name = stringAt(reference, 'name') ?? ''
    const found = references.configMap(name)
    if (found === undefined && reference['optional'] !== true)
      throw new MissingReference(`configmap "${name}" not found`)
    const texts = Object.entries(objectAt(found, 'data')).map(
      ([key, value]) => [key, Buffer.from(String(value))] as const,
    )
    const binaries = Object.entries(objectAt(found, 'binaryData')).map(
      ([key, value]) => [key, Buffer.from(String(value), 'base64')] as const,
    )
    return selected(new Map([...texts, ...binaries]), reference, `configmap "${name}"`)
  }
  if (isObject(source['secret'])) {
    const reference = source['secret']
    const name = stringAt(reference, 'secretName') ?? stringAt(reference, 'name') ?? ''
    const found = references.secret(name)
    if (found === undefined && reference['optional'] !== true) throw new MissingReference(`secret "${name}" not found`)
    const contents = Object.entries(objectAt(found, 'data')).map(
      ([key, value]) => [key, Buffer.from(String(value), 'base64')] as const,
    )
    return selected(new Map(contents), reference, `secret "${name}"`)
  }
  if (isObject(source['downwardAPI'])) {
    return arrayAt(source, 'downwardAPI', 'items').map((item) => ({
      path: stringAt(item, 'path') ?? '',
      content: Buffer.from(fieldText(pod, stringAt(item, 'fieldRef', 'fieldPath') ?? '', podIp)),
      mode: 0o600,
    }))
  }
  return []
}

function selected(contents: ReadonlyMap<string, Buffer>, reference: JsonObject, what: string): VolumeFile[] {
  const items = arrayAt(reference, 'items').filter(isObject)
  if (items.length === 0) return [...contents].map(([path, content]) => ({ path, content, mode: 0o600 }))
  return items.flatMap((item) => {
    const content = contents.get(stringAt(item, 'key') ?? '')
    if (content !== undefined)
      return [{ path: stringAt(item, 'path') ?? '', content, mode: numberAt(item, 'mode') ?? 0o600 }]
    if (reference['optional'] === true) return []
    throw new MissingReference(`${what} has no key ${stringAt(item, 'key') ?? ''}`)
  })
}

async function writeFiles(folder: string, files: readonly VolumeFile[]): Promise<void> {
  for (const file of files) {
    const path = safeJoin(folder, file.path)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    // Secrets are files of our own user only, whatever mode the pod asked for others.
    await writeFile(path, file.content, { mode: file.mode & 0o700 })
  }
}

/** Joins a name that came from outside; throws when it would leave the folder. */
function safeJoin(folder: string, name: string): string {
  const path = resolve(folder, name)
  if (path !== resolve(folder) && !path.startsWith(resolve(folder) + sep))
    throw new MissingReference(`path ${JSON.stringify(name)} leaves its volume`)
  return path
}

export async function removeVolumes(folders: VolumeFolders): Promise<void> {
  await rm(folders.pod, { recursive: true, force: true })
}

/** The mapping for one container, longest mount path first so that nested mounts win. */
export function pathMappingOf(container: ContainerSpec, volumes: ReadonlyMap<string, string>): PathMapping {
  return container.volumeMounts
    .flatMap((mount) => {
      const folder = volumes.get(mount.name)
      if (folder === undefined || mount.mountPath === '') return []
      return [
        {
          mountPath: mount.mountPath,
          localPath: mount.subPath === undefined ? folder : safeJoin(folder, mount.subPath),
        },
      ]
    })
    .toSorted((a, b) => b.mountPath.length - a.mountPath.length)
}

/**
 * Nothing can be mounted for a plain process, so mount paths in arguments and environment are replaced by where the
 * volume really is: at the start of the text or behind `=`, `:`, `,`, a quote, blank or `file://`, up to a path's end.
 */
export function mapPaths(text: string, mapping: PathMapping): string {
  if (mapping.length === 0) return text
  const alternatives = mapping.map(({ mountPath }) => RegExp.escape(mountPath)).join('|')
  const pattern = new RegExp(`(^|[=:,;"'\\s(]|file://)(${alternatives})(?=$|[/:,;"'\\s)])`, 'g')
  return text.replace(
    pattern,
    (_whole, before: string, path: string) =>
      before + (mapping.find((one) => one.mountPath === path)?.localPath ?? path),
  )
}
