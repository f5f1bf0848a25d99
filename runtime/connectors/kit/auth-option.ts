import type { Options } from '../../graph/connector-declaration.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'
import { isAllowedHost } from '../../model/allowed-hosts.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { SecretFiles } from '../../ports/files.ts'
import { allowedHosts } from './allowed-hosts.ts'
import { mapping, type OptionValues } from './option-set.ts'
import { flag, secretFile, text } from './option-types.ts'

const TABLE = {
  username: { type: text, doc: 'The user, beside `passwordFile`.' },
  passwordFile: { type: secretFile, secret: true, doc: 'The path of a mounted Secret with the password.' },
  tokenFile: { type: secretFile, secret: true, doc: 'The path of a mounted Secret with a bearer token.' },
  insecure: {
    type: flag,
    default: false,
    doc: 'Sends them without TLS too, where everybody on the way can read them.',
  },
} as const

/** A login of services over HTTP, read anew for each call, so that a Secret may be rotated. */
export const auth = {
  type: mapping(TABLE),
  doc: 'How the job logs in: `username` and `passwordFile` (basic), or `tokenFile` (bearer). The key `allowed-hosts` of the Secret says where its other keys may go.',
} as const

export type Auth = OptionValues<typeof TABLE>

/** A rule of option sets that have `url` and `auth`. */
export function checkAuth(written: Options, report: ReportOption): void {
  const { auth: login, url } = written
  if (!isFields(login)) return
  checkWhole(login, report)
  checkEncrypted(url, login['insecure'], report)
}

/** A login goes over http only where the author says so, or to the same machine. */
export function checkEncrypted(url: unknown, insecure: unknown, report: ReportOption): void {
  if (insecure === true || typeof url !== 'string' || !URL.canParse(url)) return
  const { protocol, hostname } = new URL(url)
  if (protocol === 'http:' && !/^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname))
    report(
      'auth',
      'would travel as it is: the address is http',
      'take https, or write auth.insecure: true where the network is trusted',
    )
}

/** A login is a user with a password, or a token. */
export function checkWhole({ username, passwordFile, tokenFile }: Options, report: ReportOption): void {
  const isUser = username !== undefined || passwordFile !== undefined
  if (isUser === (tokenFile !== undefined)) report('auth', 'must have either username and passwordFile, or tokenFile')
  else if (isUser && (username === undefined || passwordFile === undefined))
    report('auth', 'needs both username and passwordFile')
}

/** The headers of a call to `url`; none without a login. Throws SECRET_UNREADABLE, SECRET_HOST_FORBIDDEN. */
export async function authHeaders(
  login: Auth | undefined,
  url: string,
  secrets: SecretFiles,
): Promise<Readonly<Record<string, string>>> {
  if (login === undefined) return {}
  const { username = '', passwordFile, tokenFile } = login
  if (tokenFile !== undefined)
    return { authorization: `Bearer ${await readSecretFor(tokenFile, new URL(url).host, secrets)}` }
  if (passwordFile === undefined) return {}
  const password = await readSecretFor(passwordFile, new URL(url).host, secrets)
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

/**
 * A login for servers that are no URLs, each named as host:port; `mayGoTo` says whether it may be shown to another one,
 * which these have named. Throws SECRET_UNREADABLE, SECRET_HOST_FORBIDDEN.
 */
export async function readLogin(
  { username, passwordFile }: { username: string; passwordFile: string },
  servers: readonly string[],
  secrets: SecretFiles,
): Promise<{ username: string; password: string; mayGoTo(address: string): boolean }> {
  const { secret, hosts } = await readSecret(passwordFile, secrets)
  for (const server of servers) checkHost(passwordFile, hosts, server)
  return {
    username,
    password: secret,
    mayGoTo: (address) => hosts === undefined || isAllowedHost(hosts, address),
  }
}

/** A token or password for a server named as host:port. Throws SECRET_UNREADABLE, SECRET_HOST_FORBIDDEN. */
export async function readSecretFor(file: string, server: string, secrets: SecretFiles): Promise<string> {
  const { secret, hosts } = await readSecret(file, secrets)
  checkHost(file, hosts, server)
  return secret
}

function checkHost(file: string, hosts: readonly string[] | undefined, host: string): void {
  if (hosts === undefined || isAllowedHost(hosts, host)) return
  throw new MillraceError('SECRET_HOST_FORBIDDEN', `the Secret of ${file} may not be sent to ${host}`, {
    domain: 'user',
    hint: `Its key allowed-hosts names: ${hosts.join(', ')}.`,
  })
}

async function readSecret(
  file: string,
  secrets: SecretFiles,
): Promise<{ secret: string; hosts: readonly string[] | undefined }> {
  try {
    return { secret: (await secrets.read(file)).replace(/\r?\n$/, ''), hosts: await allowedHosts(file, secrets) }
  } catch (cause) {
    throw new MillraceError('SECRET_UNREADABLE', `cannot read ${file}`, {
      domain: 'user',
      cause,
      hint: 'Mount the Secret at this path.',
    })
  }
}
