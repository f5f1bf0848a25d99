import { createSecureContext, type Server, type TlsOptions } from 'node:tls'
import { MillraceError } from '../../model/errors.ts'
import type { TlsMaterial } from '../tls-material.ts'

/** Secrets are rotated. */
const READ_AGAIN_MS = 60_000

type ReadCertificate = () => Promise<TlsMaterial>

/**
 * What a server of TLS shows; with an authority it lets those in alone that have a certificate of it. Rejects as `read`
 * does, and with CERTIFICATE_INVALID.
 */
export async function certificateOptions(read: ReadCertificate): Promise<TlsOptions> {
  const material = await read()
  check(material)
  return { ...material, requestCert: material.ca !== undefined, rejectUnauthorized: material.ca !== undefined }
}

function check(material: TlsMaterial): void {
  try {
    createSecureContext(material)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MillraceError('CERTIFICATE_INVALID', `tls cannot use its certificate, key or authority: ${reason}`, {
      domain: 'user',
      cause,
      hint: 'Each is PEM, and the key is that of the certificate; the files are read again.',
    })
  }
}

/** Shows what is read again every minute, until the server is closed. */
export function renewCertificate(server: Server, read: ReadCertificate): void {
  const again = setInterval(() => void renew(server, read), READ_AGAIN_MS)
  again.unref()
  server.once('close', () => {
    clearInterval(again)
  })
}

/** Keeps the old certificate while the new one cannot be read. */
async function renew(server: Server, read: ReadCertificate): Promise<void> {
  try {
    server.setSecureContext(await read())
  } catch {
    // a Secret that is half written is whole in a minute, and connections with the old certificate go on
  }
}
