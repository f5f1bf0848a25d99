import { chmod, writeFile } from 'node:fs/promises'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { generate } from 'selfsigned'
import { stringify } from 'yaml'

export interface Certificate {
  key: string
  certificate: string
}

/** A certificate of its own authority for these addresses, valid from an hour ago for a year. */
export async function makeCertificate(
  hosts: string | readonly string[],
  keyType: 'ec' | 'rsa' = 'ec',
): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: 'millrace-embedded' }], {
    keyType,
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 3_600_000),
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [...[hosts].flat().map((ip) => ({ type: 7 as const, ip })), { type: 2, value: 'localhost' }],
      },
    ],
  })
  return { key: made.private, certificate: made.cert }
}

/** Bearer tokens and whose they are. Only hashes are kept, compared in constant time. */
export class Tokens {
  readonly #users: { hash: Buffer; user: string }[] = []

  /** A new random token of 256 bits for this user. */
  issue(user: string): string {
    const token = randomBytes(32).toString('base64url')
    this.#users.push({ hash: hashOf(token), user })
    return token
  }

  userOf(authorization: string | undefined): string | undefined {
    const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1]
    if (token === undefined) return undefined
    const hash = hashOf(token)
    return this.#users.find((one) => timingSafeEqual(one.hash, hash))?.user
  }
}

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/** Writes a kubeconfig that only its owner can read, also when the file was there before with other rights. */
export async function writeKubeconfigFile(
  path: string,
  server: string,
  certificate: string,
  token: string,
): Promise<void> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'millrace',
    clusters: [
      {
        name: 'millrace',
        cluster: { server, 'certificate-authority-data': Buffer.from(certificate).toString('base64') },
      },
    ],
    contexts: [{ name: 'millrace', context: { cluster: 'millrace', user: 'millrace', namespace: 'default' } }],
    users: [{ name: 'millrace', user: { token } }],
  }
  await writeFile(path, '', { mode: 0o600 })
  await chmod(path, 0o600)
  await writeFile(path, stringify(config))
}
