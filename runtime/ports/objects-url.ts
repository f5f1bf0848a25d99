import { MillraceError } from '../model/errors.ts'
import { hdfsLocationOf } from './hdfs-location.ts'
import { s3LocationOf } from './s3-location.ts'
import { schemeOf } from './store.ts'

/**
 * Checks what can be known of a storage without asking it, before `Ports.openObjects` opens it. A plain path is a folder.
 * Throws OBJECTS_UNSUPPORTED or OBJECTS_URL_INVALID (domain user).
 */
export function checkObjectsUrl(url: string): void {
  secretFilesOf(url)
}

/** The files of mounted Secrets that a URL names. Throws as `checkObjectsUrl`. */
export function secretFilesOf(url: string): readonly string[] {
  const scheme = schemeOf(url)
  if (scheme === 'file') return []
  if (scheme === 'hdfs') {
    const { delegationTokenFile } = hdfsLocationOf(url)
    return delegationTokenFile === undefined ? [] : [delegationTokenFile]
  }
  if (scheme !== 's3') throw objectsUnsupported(scheme)
  const { credentials } = s3LocationOf(url)
  if (typeof credentials === 'string') return []
  const { accessKeyFile, secretKeyFile, sessionTokenFile } = credentials
  return [accessKeyFile, secretKeyFile, ...(sessionTokenFile === undefined ? [] : [sessionTokenFile])]
}

export function objectsUnsupported(scheme: string): MillraceError {
  return new MillraceError('OBJECTS_UNSUPPORTED', `there is no storage of kind ${JSON.stringify(scheme)}`, {
    domain: 'user',
    hint: 'use file:///folder, a plain path, s3://bucket/prefix or hdfs://namenode:9870/folder',
  })
}
