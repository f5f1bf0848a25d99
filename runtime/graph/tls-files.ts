import type { TlsFiles } from '../model/tls-files.ts'
import { isFields } from '../model/fields.ts'
import { unknownOptions, type ReportOption } from './unknown-options.ts'

const NAMES = ['caFile', 'certificateFile', 'keyFile'] as const

/** Reads a mapping of files; undefined after reporting. Paths are relative to the value. */
export function readTlsFiles(value: unknown, report: ReportOption): TlsFiles | undefined {
  if (!isFields(value)) {
    report('', `must be a mapping of ${NAMES.join(', ')}`)
    return undefined
  }
  let isSound = true
  const problem: ReportOption = (path, message, hint) => {
    isSound = false
    report(path, message, hint)
  }
  unknownOptions(value, NAMES, problem)
  const { caFile, certificateFile, keyFile } = value
  for (const name of NAMES)
    if (value[name] !== undefined && (typeof value[name] !== 'string' || value[name] === ''))
      problem(name, 'must be the path of a file of a mounted Secret')
  if ((certificateFile === undefined) !== (keyFile === undefined))
    problem(keyFile === undefined ? 'keyFile' : 'certificateFile', 'is needed beside the other one of the pair')
  if (!isSound) return undefined
  return {
    ...(typeof caFile === 'string' ? { caFile } : {}),
    ...(typeof certificateFile === 'string' ? { certificateFile } : {}),
    ...(typeof keyFile === 'string' ? { keyFile } : {}),
  }
}

/** The files of a mapping that `readTlsFiles` has read, with their names in it. */
export function namedTlsFiles(files: TlsFiles): readonly { path: string; file: string; as: 'secret' }[] {
  return NAMES.flatMap((path) => {
    const file = files[path]
    return file === undefined ? [] : [{ path, file, as: 'secret' }]
  })
}
