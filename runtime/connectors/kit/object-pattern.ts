import { matchesGlob } from 'node:path/posix'
import { MillraceError } from '../../model/errors.ts'
import { checkObjectPath } from '../../ports/object-errors.ts'
import { checkObjectsUrl } from '../../ports/objects-url.ts'

/** Objects of a storage as a job names them: `s3://bucket/in/2026-*.json?endpoint=…`. */
export interface ObjectPattern {
  /** The URL of the folder that all matching objects are in, with the options. */
  readonly root: string
  /** The same without the options: names of objects begin with it. Ends with `/`. */
  readonly name: string
  /** The beginning of the paths of matching objects, relative to the root; the path itself when there is no `*`. */
  readonly prefix: string
  matches(path: string): boolean
}

/**
 * `*` stands for part of a name, `**` for folders, `[a-z]` and `{a,b}` for one of several; `?` begins the options. The
 * path is decoded as in every URL. Throws OBJECTS_URL_INVALID or OBJECTS_UNSUPPORTED.
 */
export function objectPattern(text: string): ObjectPattern {
  const [, place = text, options = ''] = /^([^?#]*)(.*)$/s.exec(text) ?? []
  const [, origin = '', path = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/]*)\/+(.*)$/is.exec(place) ?? []
  const steps = decoded(path)
    .split('/')
    .filter((step) => step !== '')
  const glob = steps.pop()
  if (glob === undefined || path.endsWith('/'))
    throw invalid('it names no object', 'write s3://bucket/folder/*.json?endpoint=…')
  const first = steps.findIndex(isGlob)
  const folder = first < 0 ? steps : steps.slice(0, first)
  const below = [...(first < 0 ? [] : steps.slice(first)), glob].join('/')
  checkObjectPath([...folder, below].join('/'))
  const root = `${[origin, ...folder.map(encodeURIComponent)].join('/')}/${options}`
  checkObjectsUrl(root)
  return {
    root,
    name: `${[origin, ...folder].join('/')}/`,
    prefix: below.replace(/[*[{].*$/s, ''),
    matches: isGlob(below) ? (object) => matchesGlob(object, below) : (object) => object === below,
  }
}

function isGlob(text: string): boolean {
  return /[*[{]/.test(text)
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (error) {
    if (error instanceof URIError)
      throw invalid('its path has a % that is not followed by two hex digits', 'write %25 for a percent sign')
    throw error
  }
}

function invalid(why: string, hint: string): MillraceError {
  return new MillraceError('OBJECTS_URL_INVALID', `the URL of the objects cannot be used: ${why}`, {
    domain: 'user',
    hint,
  })
}
