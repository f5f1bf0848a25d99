import { MillraceError } from '../../model/errors.ts'

/** No table of that name, or, once a table is open, of that id. */
export const TABLE_UNKNOWN = 'KUDU_TABLE_UNKNOWN'

/** The layer that refused a call: each has codes of its own. */
export type KuduLayer = 'rpc' | 'master' | 'tablet server'

/** A server answered with an error in place of a result. */
export class KuduServerError extends Error {
  readonly layer: KuduLayer
  readonly code: number
  /** A code of AppStatusPB; undefined for the RPC layer, which has none. */
  readonly status: number | undefined

  constructor(layer: KuduLayer, code: number, status: number | undefined, message: string) {
    super(`${message} (${layer} error ${code}${status === undefined ? '' : `, status ${status}`})`)
    this.name = 'KuduServerError'
    this.layer = layer
    this.code = code
    this.status = status
  }
}

/** ErrorStatusPB.RpcErrorCodePB of src/kudu/rpc/rpc_header.proto. */
const RPC = { tooBusy: 4, unavailable: 7, invalidAuthorization: 17, firstFatal: 10, unauthorized: 15 } as const
/** TabletServerErrorPB.Code of src/kudu/tserver/tserver.proto. */
export const TABLET_SERVER = {
  tabletNotFound: 6,
  scannerExpired: 7,
  tabletNotRunning: 12,
  invalidSnapshot: 13,
  notTheLeader: 15,
  throttled: 19,
} as const
/** MasterErrorPB.Code of src/kudu/master/master.proto. */
export const MASTER = { tableNotFound: 3, catalogNotReady: 6, notTheLeader: 7, tabletNotRunning: 9 } as const
/** AppStatusPB.ErrorCode of src/kudu/common/wire_protocol.proto. */
export const STATUS = { notFound: 1, alreadyPresent: 6, illegalState: 9, aborted: 11, unavailable: 13 } as const

/** True when another server may have the tablet, or lead it. */
export function isElsewhere(error: unknown): boolean {
  if (error instanceof MillraceError) return error.code === 'KUDU_UNREACHABLE'
  if (!(error instanceof KuduServerError) || error.layer !== 'tablet server') return false
  return (
    error.code === TABLET_SERVER.tabletNotFound ||
    error.code === TABLET_SERVER.tabletNotRunning ||
    error.code === TABLET_SERVER.notTheLeader ||
    error.status === STATUS.illegalState ||
    error.status === STATUS.aborted
  )
}

/** True when the token that the call showed has expired, or its key is not known: the master gives a fresh one. */
export function isUnauthorizedCall(error: unknown): boolean {
  return error instanceof KuduServerError && error.layer === 'rpc' && error.code === RPC.invalidAuthorization
}

/** True when the same call may succeed later (RpcProxy.java of apache/kudu). */
export function isRetriable(error: unknown): boolean {
  if (error instanceof MillraceError) return error.retriable
  if (!(error instanceof KuduServerError)) return false
  switch (error.layer) {
    case 'rpc':
      return error.code === RPC.tooBusy || error.code === RPC.unavailable || error.code === RPC.invalidAuthorization
    case 'master':
      return (
        error.code === MASTER.notTheLeader ||
        error.code === MASTER.catalogNotReady ||
        error.code === MASTER.tabletNotRunning ||
        error.status === STATUS.unavailable
      )
    case 'tablet server':
      return (
        isElsewhere(error) ||
        error.code === TABLET_SERVER.throttled ||
        // the scan is opened again where it was
        error.code === TABLET_SERVER.scannerExpired ||
        error.status === STATUS.unavailable
      )
  }
}

/** The error that the user sees; MillraceErrors pass unchanged. */
export function asMillraceError(doing: string, masters: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  if (!(error instanceof KuduServerError))
    return new MillraceError('KUDU_FAILED', `${doing} failed at the Kudu at ${masters}`, {
      domain: 'bug',
      cause: error,
    })
  const isForbidden = error.layer === 'rpc' && error.code >= RPC.firstFatal
  return new MillraceError('KUDU_REFUSED', `the Kudu at ${masters} refused ${doing}: ${error.message}`, {
    domain: isForbidden ? 'user' : 'dependency',
    retriable: isRetriable(error),
    ...(error.code === RPC.unauthorized && isForbidden
      ? {
          hint: 'Where the cluster demands TLS (--rpc_encryption=required), set `tls` of the connector. Kerberos (--rpc_authentication=required) is not supported.',
        }
      : {}),
  })
}

export function tableUnknown(table: string, masters: string): MillraceError {
  return new MillraceError(TABLE_UNKNOWN, `the Kudu at ${masters} has no table ${JSON.stringify(table)}`, {
    domain: 'user',
    retriable: true,
    hint: 'Create the table; tables made through Impala are named impala::database.table.',
  })
}

export function unreachable(address: string, cause: unknown): MillraceError {
  return new MillraceError('KUDU_UNREACHABLE', `the Kudu server ${address} cannot be reached`, {
    domain: 'dependency',
    retriable: true,
    cause,
  })
}

/** The certificate of a server is not one that the job trusts. */
export function untrusted(address: string, cause: unknown): MillraceError {
  return new MillraceError('KUDU_UNTRUSTED', `the certificate of the Kudu server ${address} is not trusted`, {
    domain: 'user',
    retriable: true,
    cause,
    hint: 'Set tls.caFile to the authority of the cluster, and name servers as their certificates do.',
  })
}

/** A server that offers no TLS to a job that demands it. */
export function noTls(address: string): MillraceError {
  return new MillraceError('KUDU_REFUSED', `the Kudu server ${address} offers no TLS`, {
    domain: 'user',
    hint: 'Set --rpc_encryption=optional or required for masters and tablet servers, or leave `tls` out.',
  })
}
