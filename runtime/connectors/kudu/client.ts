import type { Clock } from '../../ports/clock.ts'
import type { TlsMaterial } from '../../ports/tls-material.ts'
import type { Cell, KuduColumn } from './columns.ts'
import type { KeyRange, Partitioning } from './partition-key.ts'
import type { RowOperations } from './row-operations.ts'
import type { ScanBlock } from './scan-block.ts'

/** A Kudu cluster, as sources and sinks need it. Real: its servers; virtual: tables in memory. */
export interface KuduClient {
  /** The masters as the job names them, for messages. */
  readonly masters: string
  /** Rejects with KUDU_TABLE_UNKNOWN. */
  openTable(name: string): Promise<KuduTable>
  /** The tablets in the order of their keys; with `anew` they are asked for although they are known. */
  tablets(table: KuduTable, look: 'known' | 'anew'): Promise<readonly Tablet[]>
  /**
   * Writes a batch to its tablet and resolves with the rows that were refused. The same `write` may be tried again:
   * a server that has carried it out answers as it did then (for ten minutes).
   */
  write(table: KuduTable, write: TabletWrite): Promise<readonly RefusedRow[]>
  /** Numbers a batch; the number is its own over all tries. */
  newWrite(tablet: Tablet, operations: RowOperations): TabletWrite
  /** Opens a scan: at a snapshot in the order of keys, without one of what is there now, in any order. */
  openScan(table: KuduTable, scan: TabletScan): Promise<Scanner>
  /** The present time of a tablet's server, as a snapshot that any tablet can be read at. */
  now(table: KuduTable, tablet: Tablet): Promise<SnapshotTime>
  close(): Promise<void>
}

/** HybridTime: microseconds since the epoch in the upper 52 bits, a counter in the lower 12. */
export type SnapshotTime = bigint

export interface KuduTable {
  readonly name: string
  readonly id: string
  readonly columns: readonly KuduColumn[]
  readonly partitioning: Partitioning
}

export interface Tablet extends KeyRange {
  readonly id: string
}

export interface TabletWrite {
  readonly tablet: Tablet
  readonly operations: RowOperations
  readonly seqNo: number
  tries: number
}

export interface RefusedRow {
  readonly row: number
  /** A code of AppStatusPB. */
  readonly code: number
  readonly message: string
}

export interface TabletScan {
  readonly tabletId: string
  readonly columns: readonly KuduColumn[]
  /** `present`: that of the server when it is asked, with everything in it that was written before. */
  readonly snapshot?: SnapshotTime | 'present'
  /** With it only rows that changed from then to before `snapshot`; `columns` end with one of type isDeleted then. */
  readonly since?: SnapshotTime
  /** Rows behind this key only. */
  readonly afterKey?: Buffer
  /** Rows only whose columns have these values. */
  readonly equals?: readonly { readonly column: KuduColumn; readonly cell: Cell }[]
  /** Rows only whose column is in a range; `to` is exclusive, and no bound when it is absent. */
  readonly within?: { readonly column: KuduColumn; readonly from: Cell; readonly to?: Cell | undefined }
  /** So many rows at most. */
  readonly most?: number
}

export interface Scanner {
  /** The next rows; undefined at the end. A block may be empty. */
  next(): Promise<ScanBlock | undefined>
  /** Frees the server's side; no error when it is gone. */
  close(): Promise<void>
}

export interface KuduConnectOptions {
  readonly masters: readonly string[]
  readonly user: string
  /** Encrypts each connection with what it resolves with; without it they are plain text. */
  readonly tls?: (() => Promise<KuduTls>) | undefined
  readonly clock: Clock
  /** Whether an idle connection keeps the process alive. */
  readonly idleConnections: 'hold the process' | 'let it end'
  /** Unique among all clients: the servers know retried writes by it. */
  readonly clientId: string
}

export interface KuduTls {
  readonly material: TlsMaterial
  /** Whether those of the servers are checked: signed by an authority that is trusted, for the host that was asked. */
  readonly certificates: 'check' | 'ignore'
}

export type KuduConnect = (options: KuduConnectOptions) => KuduClient
