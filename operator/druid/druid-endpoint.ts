import { MillraceError } from '../../runtime/model/errors.ts'
import type { AllowedUse } from './allowed-use.ts'

/** One Druid of the operator's configuration. The URL is that of a Router that proxies management calls. */
export interface DruidEndpoint {
  routerUrl: string
  username?: string
  /** Read at every call, so that a rotated secret needs no restart. */
  passwordFile?: string
  /** The rules of use; absent or empty: everybody may use it. */
  allowed?: readonly AllowedUse[]
}

/** The URL of a Router. Throws MillraceError DRUID_ENDPOINT_INVALID. */
export function checkedUrl(routerUrl: string): URL {
  const url = URL.canParse(routerUrl) ? new URL(routerUrl) : undefined
  if (url && (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === '') {
    return url
  }
  throw new MillraceError(
    'DRUID_ENDPOINT_INVALID',
    'the routerUrl of a Druid must be an http or https URL without credentials',
    {
      domain: 'platform',
      hint: 'Put the credentials into username and passwordFile.',
    },
  )
}
