import type { ModuleSource } from '../model/user-module.ts'
import type { Fields } from '../model/fields.ts'
import { describe, join, type Problems } from '../graph/problems.ts'

const MAX_MODULES = 16
const USAGE = 'write { path: ./functions.ts }, { configMap: NAME, key: functions.mjs } or { image: /app/functions.mjs }'

/**
 * `spec.modules`: where the code of user functions is. Only names are checked here; checking a job never loads code.
 */
export function readModules(value: unknown, path: string, problems: Problems): Readonly<Record<string, ModuleSource>> {
  const written = value === undefined ? {} : (problems.fields(value, path) ?? {})
  const names = Object.keys(written)
  if (names.length > MAX_MODULES)
    problems.report('TOO_LARGE', path, `has ${names.length} modules, at most ${MAX_MODULES} are taken`)
  return Object.fromEntries(
    names.flatMap((name) => {
      const source = readModule(name, written[name], join(path, name), problems)
      return source === undefined ? [] : [[name, source] as const]
    }),
  )
}

/** The name goes into a path inside pods. */
function readModule(name: string, value: unknown, path: string, problems: Problems): ModuleSource | undefined {
  if (!/^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$/.test(name)) {
    problems.report(
      'ID_INVALID',
      path,
      `${describe(name)} cannot be a module's name`,
      'at most 32 of a-z, 0-9 and -, a letter first, no - at the end',
    )
    return undefined
  }
  const fields = problems.fields(value, path, ['path', 'configMap', 'key', 'image'])
  if (fields === undefined) return undefined
  const places = ['path', 'configMap', 'image'].filter((place) => place in fields)
  if (places.length !== 1) {
    problems.report(
      'MODULE_INVALID',
      path,
      places.length === 0 ? 'has no place' : `has several places: ${places.join(' and ')}`,
      USAGE,
    )
    return undefined
  }
  if ('configMap' in fields) return readConfigMap(fields, path, problems)
  if ('key' in fields) problems.report('UNKNOWN_FIELD', join(path, 'key'), 'key goes with configMap', USAGE)
  return 'path' in fields ? readPath(fields, path, problems) : readImage(fields, path, problems)
}

function readConfigMap(fields: Fields, path: string, problems: Problems): ModuleSource | undefined {
  const name = problems.text(fields['configMap'], join(path, 'configMap'), 253)
  const key = problems.text(fields['key'], join(path, 'key'), 253)
  if (name === undefined || key === undefined) return undefined
  if (!/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(name)) {
    problems.report('MODULE_INVALID', join(path, 'configMap'), `${describe(name)} cannot be a ConfigMap`)
    return undefined
  }
  if (!isFileOfCode(key, join(path, 'key'), problems)) return undefined
  if (/^[A-Za-z0-9_-][-._A-Za-z0-9]*$/.test(key)) return { kind: 'configMap', name, key }
  problems.report('MODULE_INVALID', join(path, 'key'), `${describe(key)} cannot be a key of a ConfigMap`)
  return undefined
}

function readPath(fields: Fields, path: string, problems: Problems): ModuleSource | undefined {
  const file = problems.text(fields['path'], join(path, 'path'))
  return file !== undefined && isFileOfCode(file, join(path, 'path'), problems)
    ? { kind: 'path', path: file }
    : undefined
}

function readImage(fields: Fields, path: string, problems: Problems): ModuleSource | undefined {
  const file = problems.text(fields['image'], join(path, 'image'))
  if (file === undefined || !isFileOfCode(file, join(path, 'image'), problems)) return undefined
  if (file.startsWith('/')) return { kind: 'image', path: file }
  problems.report(
    'MODULE_INVALID',
    join(path, 'image'),
    `${describe(file)} is not an absolute path`,
    'it names a file inside the image: /app/functions.mjs',
  )
  return undefined
}

/** Node chooses by the name how to read a file. */
function isFileOfCode(file: string, path: string, problems: Problems): boolean {
  if (/\.(?:m?[jt]s)$/.test(file)) return true
  problems.report(
    'MODULE_INVALID',
    path,
    `${describe(file)} is not a module`,
    'its name ends in .mjs, .js, .ts or .mts',
  )
  return false
}
