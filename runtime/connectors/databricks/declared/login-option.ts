import type { ReportOption } from '../../../graph/unknown-options.ts'
import type { Options } from '../../../graph/connector-declaration.ts'
import { isFields } from '../../../model/fields.ts'
import { checkEncrypted } from '../../kit/auth-option.ts'
import { mapping, type OptionValues } from '../../kit/option-set.ts'
import { flag, secretFile, text } from '../../kit/option-types.ts'

const TABLE = {
  tokenFile: {
    type: secretFile,
    secret: true,
    doc: 'The path of a mounted Secret with a personal access token.',
  },
  clientId: { type: text, doc: 'The id of a service principal, beside `clientSecretFile`.' },
  clientSecretFile: {
    type: secretFile,
    secret: true,
    doc: 'The path of a mounted Secret with the OAuth secret of the service principal.',
  },
  insecure: {
    type: flag,
    default: false,
    doc: 'Sends them without TLS too, where everybody on the way can read them.',
  },
} as const

/** The files are read again for each call or token, so that a Secret may be rotated. */
export const login = {
  type: mapping(TABLE),
  required: 'tokenFile, or clientId and clientSecretFile',
  doc: 'How the job logs in: with a personal access token, or as a service principal (OAuth machine to machine). The key `allowed-hosts` of the Secret says where its other keys may go.',
} as const

export type Login = OptionValues<typeof TABLE>

/** A rule of option sets that have `url` and `auth`. */
export function checkLogin({ auth, url }: Options, report: ReportOption): void {
  if (!isFields(auth)) return
  const { tokenFile, clientId, clientSecretFile, insecure } = auth
  const isPrincipal = clientId !== undefined || clientSecretFile !== undefined
  if (isPrincipal === (tokenFile !== undefined))
    report('auth', 'must have either tokenFile, or clientId and clientSecretFile')
  else if (isPrincipal && (clientId === undefined || clientSecretFile === undefined))
    report('auth', 'needs both clientId and clientSecretFile')
  checkEncrypted(url, insecure, report)
}
