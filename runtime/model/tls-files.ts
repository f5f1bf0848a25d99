/** PEM files of mounted Secrets: the authority that a server's certificate is checked by, and who the job is. */
export interface TlsFiles {
  /** Certificates of authorities, instead of those that the system trusts. */
  readonly caFile?: string
  /** The certificate that the job shows, and its private key. */
  readonly certificateFile?: string
  readonly keyFile?: string
}
