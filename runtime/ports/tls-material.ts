import { MillraceError } from '../model/errors.ts'
import type { TlsFiles } from '../model/tls-files.ts'
import type { SecretFiles } from './files.ts'

/** As node:tls takes them, PEM. */
export interface TlsMaterial {
  ca?: string
  cert?: string
  key?: string
}

/** Reads the files of a connection that is about to be opened. Rejects with CERTIFICATE_UNREADABLE (domain user). */
export async function readTlsMaterial(files: TlsFiles, secrets: SecretFiles): Promise<TlsMaterial> {
  const { caFile, certificateFile, keyFile } = files
  const read = (file: string): Promise<string> => secrets.read(file).catch((cause: unknown) => unreadable(file, cause))
  return {
    ...(caFile === undefined ? {} : { ca: await read(caFile) }),
    ...(certificateFile === undefined ? {} : { cert: await read(certificateFile) }),
    ...(keyFile === undefined ? {} : { key: await read(keyFile) }),
  }
}

function unreadable(file: string, cause: unknown): never {
  throw new MillraceError('CERTIFICATE_UNREADABLE', `cannot read the certificate or key from ${file}`, {
    domain: 'user',
    cause,
    hint: 'Mount the Secret at this path.',
  })
}
