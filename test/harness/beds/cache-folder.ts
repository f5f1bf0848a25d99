import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, relative, resolve } from 'node:path'

/**
 * The one folder for everything the beds fetch and build: $MILLRACE_CACHE, else ~/.cache/millrace. May be removed
 * at any time when no test runs; the next run fills it again.
 */
export function cacheFolder(...parts: readonly string[]): string {
  const folder = join(resolve(process.env['MILLRACE_CACHE'] ?? join(homedir(), '.cache', 'millrace')), ...parts)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** A short hash over names and contents of files, to key what is made from them. */
export function hashOfFiles(base: string, files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files.toSorted()) {
    hash.update(`${relative(base, file)}\0`)
    hash.update(readFileSync(file))
  }
  return hash.digest('hex').slice(0, 12)
}

/**
 * Name and size of every plain file in a folder: what `complete` markers hold, and what a later run is checked
 * against.
 */
export function listingOf(folder: string): string {
  const lines = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${statSync(join(folder, entry.name)).size} ${entry.name}`)
  return lines.toSorted().join('\n')
}
