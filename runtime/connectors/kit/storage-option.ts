import { fileURLToPath } from 'node:url'
import type { OpenedFile } from '../../graph/connector-declaration.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'
import { MillraceError } from '../../model/errors.ts'
import { checkObjectsUrl, secretFilesOf } from '../../ports/objects-url.ts'
import { schemeOf } from '../../ports/store.ts'
import { objectPattern } from './object-pattern.ts'
import { shown, text, textList, type OptionType } from './option-types.ts'

/** A folder, or the URL of another storage for objects: that is no file of the pod, and is bounded by its address. */
export const storagePath: OptionType<string> = {
  name: 'folder or URL of a storage',
  read: (value, report) => {
    const place = text.read(value, report)
    return place !== undefined && isSound(place, checkObjectsUrl, report) ? place : undefined
  },
  opens: (place) => openedBy(String(place), secretFilesOf, ''),
}

/** Files that the connector reads, as paths, globs, or URLs of objects (kit/object-pattern.ts). */
export const storagePaths: OptionType<readonly string[]> = {
  name: 'path, glob or URL of objects, or a list of them',
  read: (value, report) => {
    const places = textList('path, glob or URL of objects').read(value, report)
    return places?.every((place) => isSound(place, objectPattern, report)) === true ? places : undefined
  },
  opens: (value) =>
    Array.isArray(value)
      ? value.flatMap((place, index) => openedBy(String(place), secretFilesOfPattern, `[${index}]`))
      : openedBy(String(value), secretFilesOfPattern, ''),
}

/** A folder is named by its path, or by a `file:` URL. */
export function localPathOf(place: string): string {
  return /^file:/i.test(place) ? fileURLToPath(place) : place
}

function isSound(place: string, check: (url: string) => unknown, report: ReportOption): boolean {
  if (schemeOf(place) !== 'file') return isAccepted(() => check(place), report)
  if (!/^file:/i.test(place) || isFolderUrl(place)) return true
  report('', `${shown(place)} names no folder of this machine`, 'write file:///folder, or its path alone')
  return false
}

function isAccepted(check: () => unknown, report: ReportOption): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    report('', error.message, error.hint)
    return false
  }
}

function isFolderUrl(url: string): boolean {
  return URL.canParse(url) && new URL(url).host === '' && !/%2f|%00/i.test(url)
}

function openedBy(place: string, secrets: (url: string) => readonly string[], path: string): OpenedFile[] {
  return schemeOf(place) === 'file'
    ? [{ path, file: localPathOf(place), as: 'file' }]
    : secrets(place).map((file) => ({ path, file, as: 'secret' }))
}

function secretFilesOfPattern(url: string): readonly string[] {
  return secretFilesOf(objectPattern(url).root)
}
