import { namedTlsFiles, readTlsFiles } from '../../graph/tls-files.ts'
import type { OptionDescriptions } from '../../graph/connector-declaration.ts'
import { isFields } from '../../model/fields.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { secretFile, type OptionType } from './option-types.ts'

const FIELDS = {
  caFile: {
    type: secretFile,
    doc: 'PEM certificates of the authority that signed those of the servers; the ones that the system trusts when it is absent.',
  },
  certificateFile: {
    type: secretFile,
    doc: 'The PEM certificate that the job shows, with those between it and its authority.',
  },
  keyFile: { type: secretFile, secret: true, doc: 'The PEM private key of that certificate.' },
} as const

/** `false`, `true` (trusting what the system trusts) or the files; read as files, none of them where it is `true`. */
export const tls: OptionType<false | TlsFiles> & { readonly fields: OptionDescriptions } = {
  name: 'true or false, or a mapping',
  fields: FIELDS,
  read: (value, report) => (typeof value === 'boolean' ? value && {} : readTlsFiles(value, report)),
  opens: (value) => (isFields(value) ? namedTlsFiles(value) : []),
}

/** The certificate that a server shows to those who connect; with `caFile` they need a certificate of that authority. */
export const serverTls: OptionType<TlsFiles> & { readonly fields: OptionDescriptions } = {
  name: 'mapping',
  fields: {
    ...FIELDS,
    caFile: { ...FIELDS.caFile, doc: 'PEM certificates of the authority that senders need a certificate of.' },
    certificateFile: {
      ...FIELDS.certificateFile,
      doc: 'The PEM certificate of this server, with those between it and its authority.',
    },
  },
  read: (value, report) => {
    const files = readTlsFiles(value, report)
    if (files === undefined || files.certificateFile !== undefined) return files
    report('certificateFile', 'is required: a server shows a certificate')
    return undefined
  },
  opens: (value) => (isFields(value) ? namedTlsFiles(value) : []),
}
