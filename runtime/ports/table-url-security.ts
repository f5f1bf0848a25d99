import { isLoopback } from '../model/loopback.ts'
import type { TlsFiles } from '../model/tls-files.ts'
import { chosen, storeUrlInvalid, type TableUrl, type TableUrlForm } from './table-url.ts'

export const TLS_OPTIONS = ['tls', 'caFile', 'certificateFile', 'keyFile'] as const
export const LOGIN_OPTIONS = ['user', 'passwordFile', 'insecure'] as const

const FILES = ['caFile', 'certificateFile', 'keyFile'] as const

/** The files of encrypted connections; undefined: plain text. Throws STORE_URL_INVALID. */
export function tlsOf(form: TableUrlForm, url: TableUrl): TlsFiles | undefined {
  const isOn = chosen(form, url, 'tls', ['true', 'false'], 'false') === 'true'
  const files = Object.fromEntries(
    FILES.flatMap((name) => {
      const file = url.options.get(name)
      return file === undefined ? [] : [[name, file] as const]
    }),
  ) as TlsFiles
  const [first] = Object.keys(files)
  if (first !== undefined && !isOn) throw storeUrlInvalid(form, `${first} has no effect without tls=true`)
  if ((files.certificateFile === undefined) !== (files.keyFile === undefined))
    throw storeUrlInvalid(form, 'certificateFile and keyFile are a pair, of which one is missing')
  return isOn ? files : undefined
}

/** A user and the file of a mounted Secret; undefined without a login. Throws STORE_URL_INVALID. */
export function loginOf(
  form: TableUrlForm,
  url: TableUrl,
): { readonly username: string; readonly passwordFile: string } | undefined {
  const username = url.options.get('user')
  const passwordFile = url.options.get('passwordFile')
  checkReadable(form, url, passwordFile !== undefined)
  if (username === undefined && passwordFile === undefined) return undefined
  if (username === undefined || passwordFile === undefined)
    throw storeUrlInvalid(form, 'user and passwordFile are a pair, of which one is missing')
  return { username, passwordFile }
}

/** Passwords and tokens are sent as they are. */
export function checkReadable(form: TableUrlForm, url: TableUrl, isSecret: boolean): void {
  const isInsecure = chosen(form, url, 'insecure', ['true', 'false'], 'false') === 'true'
  if (!isSecret || isInsecure || tlsOf(form, url) !== undefined || url.hosts.every(isLoopback)) return
  throw storeUrlInvalid(
    form,
    'the login would travel in plain text: write tls=true, or insecure=true where the network is trusted',
  )
}
