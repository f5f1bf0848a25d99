import type { Server, TlsOptions } from 'node:tls'
import type { TlsMaterial } from '../tls-material.ts'

/** Secrets are rotated. */
const READ_AGAIN_MS = 60_000

type ReadCertificate = () => Promise<TlsMaterial>

/** What a server of TLS shows; with an authority it lets those in alone that have a certificate of it. */
export async function certificateOptions(read: ReadCertificate): Promise<TlsOptions> {
  const material = await read()
  return { ...material, requestCert: material.ca !== undefined, rejectUnauthorized: material.ca !== undefined }
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
