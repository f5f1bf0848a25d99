import { MillraceError } from '../../runtime/model/errors.ts'
import { ALLOWED_HOSTS, isAllowedHost, parseAllowedHosts } from '../../runtime/model/allowed-hosts.ts'
import { memberOf } from '../../runtime/model/fields.ts'
import { KubeError } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'
import { secrets } from '../kube/resource-type.ts'
import type { DruidAccess, Login } from './druid-access.ts'
import type { DruidDatasource } from './druid-datasource.ts'

/**
 * Reads what `spec.auth` and `spec.tls` name, in the namespace of the resource; undefined when they name nothing. A login
 * and a key of a certificate are given out only when their Secret says itself, in the key `allowed-hosts`, that they
 * may go to `address`: whoever writes the resource need not be allowed to read the Secret. Throws MillraceError
 * DRUID_SECRET_MISSING, DRUID_SECRET_FORBIDDEN and DRUID_SECRET_INVALID; what is in a Secret is in none of them.
 */
export async function readAccess(
  kube: Pick<Kube, 'get'>,
  { metadata, spec }: DruidDatasource,
  address: string,
): Promise<DruidAccess | undefined> {
  if (spec.auth === undefined && spec.tls === undefined) return undefined
  const open = (name: string): Promise<OpenSecret> => openSecret(kube, metadata.namespace ?? 'default', name)
  const login = await readLogin(spec.auth, open, address)
  const tls = await readTls(spec.tls, open, address)
  return { ...(login === undefined ? {} : { login }), ...(tls === undefined ? {} : { tls }) }
}

async function readLogin(
  auth: DruidDatasource['spec']['auth'],
  open: (name: string) => Promise<OpenSecret>,
  address: string,
): Promise<Login | undefined> {
  if (auth?.basic !== undefined) {
    const { secret: name, usernameKey = 'username', passwordKey = 'password' } = auth.basic
    const secret = await open(name)
    secret.mayGoTo(address)
    return { username: secret.word(usernameKey, /^[^:\p{Cc}]+$/u), password: secret.word(passwordKey, /^\P{Cc}+$/u) }
  }
  if (auth?.bearer === undefined) return undefined
  const secret = await open(auth.bearer.secret)
  secret.mayGoTo(address)
  return { token: secret.word(auth.bearer.key ?? 'token', /^[\x21-\x7e]+$/) }
}

async function readTls(
  tls: DruidDatasource['spec']['tls'],
  open: (name: string) => Promise<OpenSecret>,
  address: string,
): Promise<DruidAccess['tls']> {
  if (tls === undefined) return undefined
  const { ca, certificate } = tls
  const trusted = ca === undefined ? {} : { ca: (await open(ca.secret)).text(ca.key ?? 'ca.crt') }
  if (certificate === undefined) return trusted
  const own = await open(certificate.secret)
  own.mayGoTo(address)
  return {
    ...trusted,
    certificate: own.text(certificate.certificateKey ?? 'tls.crt'),
    key: own.text(certificate.privateKeyKey ?? 'tls.key'),
  }
}

interface OpenSecret {
  text(key: string): string
  /** Without the line end that editors leave; `form` is what it must look like. */
  word(key: string, form: RegExp): string
  mayGoTo(address: string): void
}

async function openSecret(kube: Pick<Kube, 'get'>, namespace: string, name: string): Promise<OpenSecret> {
  const data = (await readSecret(kube, namespace, name)).data ?? {}
  const text = (key: string): string => {
    const value = memberOf(data, key)
    if (value !== undefined) return Buffer.from(value, 'base64').toString('utf8')
    throw failure('DRUID_SECRET_MISSING', `Secret '${name}' in namespace '${namespace}' has no key '${key}'`)
  }
  return {
    text,
    word: (key, form) => {
      const word = text(key).replace(/\r?\n$/, '')
      if (form.test(word)) return word
      throw failure('DRUID_SECRET_INVALID', `key '${key}' of Secret '${name}' is empty or has characters it must not`)
    },
    mayGoTo: (address) => {
      const hosts = memberOf(data, ALLOWED_HOSTS) === undefined ? [] : parseAllowedHosts(text(ALLOWED_HOSTS))
      if (isAllowedHost(hosts, address)) return
      throw failure(
        'DRUID_SECRET_FORBIDDEN',
        `Secret '${name}' does not say that it may go to ${address}`,
        `Whoever keeps the Secret adds '${address}' to its key ${ALLOWED_HOSTS}.`,
      )
    },
  }
}

async function readSecret(
  kube: Pick<Kube, 'get'>,
  namespace: string,
  name: string,
): Promise<{ data?: Readonly<Record<string, string>> }> {
  try {
    return await kube.get(secrets, { namespace, name })
  } catch (error) {
    if (!(error instanceof KubeError)) throw error
    if (error.status === 404)
      throw failure('DRUID_SECRET_MISSING', `there is no Secret '${name}' in namespace '${namespace}'`)
    if (error.status !== 403) throw error
    throw failure(
      'DRUID_SECRET_FORBIDDEN',
      `the operator may not read Secret '${name}' in namespace '${namespace}'`,
      `Add '${name}' to druidSecrets of the chart.`,
    )
  }
}

function failure(code: string, message: string, hint?: string): MillraceError {
  return new MillraceError(code, message, {
    domain: 'user',
    retriable: true,
    ...(hint === undefined ? {} : { hint }),
  })
}
