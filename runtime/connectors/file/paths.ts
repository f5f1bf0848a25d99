import { isAbsolute, join, relative } from 'node:path'

/** Relative paths count from the folder of the job. */
export function resolvePath(baseDir: string, path: string): string {
  return isAbsolute(path) ? path : join(baseDir, path)
}

/** The stable name of a file in split ids: relative to the job where it can be, so that a moved job restores. */
export function stableName(baseDir: string, path: string): string {
  const name = relative(baseDir, path)
  return name.startsWith('..') || isAbsolute(name) ? path : name
}
