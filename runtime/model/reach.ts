import { posix } from 'node:path'
import { MillraceError } from './errors.ts'
import { isFields } from './fields.ts'

/**
 * What the connectors of a job may open and call on a cluster, where the job's author is not the owner of the pods.
 * The operator draws it from its settings and the volumes of the job, checks specs against it and gives it to the pods.
 * Without one (on a laptop) everything may be reached. Paths are absolute and normalized.
 */
export interface Reach {
  /** Folders whose files connectors may read and write. */
  readonly files: readonly string[]
  /** Folders of mounted Secrets: passwords and certificates are read there and nowhere else, and nothing else is. */
  readonly secrets: readonly string[]
  /** Blocks of addresses (CIDR) that HTTP calls may go to although they are the machine's own or link-local. */
  readonly addresses: readonly string[]
}

/** What a connector opens a path as. */
export type OpenedAs = 'file' | 'secret'

/** Whether a normalized path may be opened. Of the folders that it is in, the innermost decides. */
export function isReached(reach: Reach, as: OpenedAs, path: string): boolean {
  const depth = (folders: readonly string[]): number =>
    Math.max(-1, ...folders.filter((folder) => isInFolder(path, folder)).map(({ length }) => length))
  const [wanted, other] = as === 'file' ? [reach.files, reach.secrets] : [reach.secrets, reach.files]
  return depth(wanted) > depth(other)
}

/** Why a path that is not reached may not be opened, in words. */
export function whyOutOfReach(reach: Reach, as: OpenedAs, path: string): { message: string; hint: string } {
  const folders = as === 'file' ? reach.files : reach.secrets
  const known = folders.length === 0 ? 'none' : folders.join(', ')
  return as === 'file'
    ? {
        message: `${JSON.stringify(path)} is outside of the folders that this job may open: ${known}`,
        hint: 'mount a volume there by podTemplate, or have jobs.fileRoots of the chart name the folder',
      }
    : {
        // not repeated: somebody may have written the secret itself
        message: `the path is outside of the Secrets that this job mounts: ${known}`,
        hint: 'mount the Secret there by podTemplate (volumes and volumeMounts)',
      }
}

/** `folder` and `path` are normalized; a folder is in itself. */
export function isInFolder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`)
}

/** Without `.`, `..`, doubled slashes and a slash at the end. */
export function normalizedPath(path: string): string {
  return posix.normalize(path).replace(/(.)\/$/, '$1')
}

/** The folder that all paths which a glob matches are in; undefined when `..` leads out of it. A plain path is itself. */
export function folderOfGlob(pattern: string): string | undefined {
  const steps = pattern.split('/')
  const first = steps.findIndex((step) => /[*?[\]{}()!+@]/.test(step))
  if (first < 0) return normalizedPath(pattern)
  if (steps.slice(first).includes('..')) return undefined
  return normalizedPath(steps.slice(0, first).join('/') || (pattern.startsWith('/') ? '/' : '.'))
}

/** As an environment variable of the pods carries it. */
export function encodeReach(reach: Reach): string {
  return JSON.stringify(reach)
}

/** Throws CONFIG_INVALID: a pod without its bound must not start. */
export function decodeReach(text: string): Reach {
  const value: unknown = parsed(text)
  if (isFields(value) && isTexts(value['files']) && isTexts(value['secrets']) && isTexts(value['addresses']))
    return { files: value['files'], secrets: value['secrets'], addresses: value['addresses'] }
  throw new MillraceError('CONFIG_INVALID', `environment variable MILLRACE_REACH is ${JSON.stringify(text)}`, {
    domain: 'platform',
    hint: 'The operator sets it.',
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
