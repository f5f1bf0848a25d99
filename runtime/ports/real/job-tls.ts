import { hkdfSync } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { ConnectionOptions, SecureContext, TlsOptions } from 'node:tls'
import { PROOF_MS } from '../strangers.ts'

/** What the processes of one job know, and the operator that made its token. */
export interface JobSecret {
  jobUid: string
  token: string
}

/**
 * TLS 1.2 with a pre-shared key (RFC 4279, RFC 5487): both ends prove from the first byte that they know the job's
 * token, without certificates that somebody must issue, mount and rotate. DHE, so that a token that is stolen later
 * opens nothing that was recorded. (Node has no external keys of TLS 1.3.)
 */
const SUITE = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  ciphers: 'DHE-PSK-AES128-GCM-SHA256:DHE-PSK-AES256-GCM-SHA384',
} as const

export function serverTls(secret: JobSecret): TlsOptions & { dhparam: 'auto' } {
  const key = keyOf(secret)
  return {
    ...SUITE,
    dhparam: 'auto',
    handshakeTimeout: PROOF_MS,
    pskCallback: (_socket, identity) => (identity === secret.jobUid ? key : null),
  }
}

/** It holds no key: all connections share one, which spares each of an operator's thousands 20 kB. */
let clientContext: SecureContext | undefined

export function clientTls(
  secret: JobSecret,
): Required<
  Pick<
    ConnectionOptions,
    'minVersion' | 'maxVersion' | 'ciphers' | 'secureContext' | 'pskCallback' | 'checkServerIdentity'
  >
> {
  const psk = keyOf(secret)
  clientContext ??= createSecureContext(SUITE)
  return {
    ...SUITE,
    secureContext: clientContext,
    pskCallback: () => ({ psk, identity: secret.jobUid }),
    // There is no certificate: the key says who the other end is.
    checkServerIdentity: () => undefined,
  }
}

function keyOf({ jobUid, token }: JobSecret): Buffer {
  return Buffer.from(hkdfSync('sha256', token, jobUid, 'millrace tls-psk', 32))
}
