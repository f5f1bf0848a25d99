import { MillraceError } from '../../../model/errors.ts'
import type { Clock } from '../../../ports/clock.ts'
import type {
  KuduClient,
  KuduConnectOptions,
  KuduTable,
  RefusedRow,
  Scanner,
  SnapshotTime,
  Tablet,
  TabletScan,
  TabletWrite,
} from '../client.ts'
import {
  isElsewhere,
  isRetriable,
  isUnauthorizedCall,
  KuduServerError,
  MASTER,
  tableUnknown,
  unreachable,
} from '../errors.ts'
import {
  connectToMaster,
  getTableLocations,
  getTableSchema,
  masterInfo,
  type newScan,
  scanAnswer,
  scanRequest,
  type signedToken,
  tableLocations,
  tableSchema,
  writeAnswer,
  writeRequest,
} from '../protocol/messages.ts'
import { cellBytes } from '../cell-bytes.ts'
import type { AnyMessage, Values } from '../../kit/protobuf.ts'
import type { RowOperations } from '../row-operations.ts'
import { type KuduAnswer, type KuduCall, KuduConnection } from './connection.ts'
import { blockOf, LEADER, type Location, locationsOf, openTableOf, projectedColumn, wireColumn } from './wire-tables.ts'

const MASTER_SERVICE = 'kudu.master.MasterService'
const TABLET_SERVICE = 'kudu.tserver.TabletServerService'
const CONNECT_TO_MASTER_FEATURE = 3
const LOCATIONS_A_CALL = 1000
const CLIENT_PROPAGATED = 1
const READ_LATEST = 1
const READ_AT_SNAPSHOT = 2
const UNORDERED = 1
const ORDERED = 2
const COLUMN_PREDICATES_FEATURE = 1
const COLUMNAR = 2
const BATCH_BYTES = 1024 * 1024

/** Undefined where the cluster checks nobody's rights. */
type Authorization = Values<typeof signedToken> | undefined

/** A master that answered, and does not lead. */
class LedElsewhere extends Error {}

export function connectKudu(options: KuduConnectOptions): KuduClient {
  return new RealKuduClient(options)
}

/** Every method tries once and reports why it failed; what was wrong about the places of servers is forgotten then. */
class RealKuduClient implements KuduClient {
  readonly masters: string
  readonly #options: KuduConnectOptions
  readonly #clock: Clock
  readonly #connections = new Map<string, Promise<KuduConnection>>()
  readonly #locations = new Map<string, readonly Location[]>()
  /** By the id of a table: what servers are shown with each write and scan. It expires after five minutes by default. */
  readonly #authorizations = new Map<string, Promise<Authorization>>()
  readonly #openWrites = new Set<number>()
  #leaderMaster: string | undefined
  #nextSeqNo = 0
  /** The latest time that any server named: reads see what was written before. */
  #propagated = 0n

  constructor(options: KuduConnectOptions) {
    this.#options = options
    this.#clock = options.clock
    this.masters = options.masters.join(',')
  }

  async openTable(name: string): Promise<KuduTable> {
    const { values } = await this.#callMaster(
      'GetTableSchema',
      [getTableSchema, { table: { name } }],
      tableSchema,
      name,
    )
    const table = openTableOf(name, values)
    this.#authorizations.set(table.id, Promise.resolve(values.authorization))
    return table
  }

  async tablets(table: KuduTable, look: 'known' | 'anew'): Promise<readonly Tablet[]> {
    const known = this.#locations.get(table.id)
    if (known !== undefined && look === 'known') return known
    const found: Location[] = []
    for (let keyStart: Uint8Array | undefined; ; ) {
      const { values } = await this.#callMaster(
        'GetTableLocations',
        [
          getTableLocations,
          { table: { id: Buffer.from(table.id) }, keyStart, most: LOCATIONS_A_CALL, internsServers: true },
        ],
        tableLocations,
        table.name,
      )
      const page = locationsOf(values)
      found.push(...page)
      const end = page.at(-1)?.end
      if (page.length < LOCATIONS_A_CALL || end === undefined || end.length === 0) break
      keyStart = end
    }
    this.#locations.set(table.id, found)
    return found
  }

  newWrite(tablet: Tablet, operations: RowOperations): TabletWrite {
    const seqNo = this.#nextSeqNo++
    this.#openWrites.add(seqNo)
    return { tablet, operations, seqNo, tries: 0 }
  }

  async write(table: KuduTable, write: TabletWrite): Promise<readonly RefusedRow[]> {
    const { tablet, operations, seqNo } = write
    write.tries++
    const { values } = await this.#callTablet(table, tablet.id, {
      method: 'Write',
      request: [
        writeRequest,
        {
          tablet: Buffer.from(tablet.id),
          schema: { columns: table.columns.map(wireColumn) },
          operations: operations.parts,
          consistency: CLIENT_PROPAGATED,
          propagated: this.#propagatedTime(),
          authorization: await this.#authorization(table),
        },
      ],
      answer: writeAnswer,
      requestId: {
        clientId: this.#options.clientId,
        seqNo,
        firstIncomplete: Math.min(seqNo, ...this.#openWrites),
        attemptNo: write.tries,
      },
    })
    this.#openWrites.delete(seqNo)
    this.#see(values.timestamp)
    return (values.rowErrors ?? []).map(({ row = 0, error }) => ({
      row,
      code: error?.code ?? 0,
      message: error?.message ?? '',
    }))
  }

  async openScan(table: KuduTable, scan: TabletScan): Promise<Scanner> {
    const { values, sidecars } = await this.#callScan(table, scan.tabletId, {
      opens: {
        tablet: Buffer.from(scan.tabletId),
        columns: scan.columns.map(projectedColumn),
        ...(scan.snapshot === undefined
          ? { readMode: READ_LATEST, orderMode: UNORDERED }
          : {
              readMode: READ_AT_SNAPSHOT,
              orderMode: ORDERED,
              snapshot: scan.snapshot === 'present' ? undefined : scan.snapshot,
            }),
        snapshotStart: scan.since,
        lastKey: scan.afterKey,
        limit: scan.most,
        predicates: predicatesOf(scan),
        cacheBlocks: true,
        formatFlags: COLUMNAR,
        propagated: this.#propagatedTime(),
        authorization: await this.#authorization(table),
      },
      callSeqNo: 0,
      batchBytes: BATCH_BYTES,
    })
    return this.#scannerOf(table, scan, { values, sidecars })
  }

  async now(table: KuduTable, tablet: Tablet): Promise<SnapshotTime> {
    const [column] = table.columns
    if (column === undefined) throw unreachable(this.masters, new Error(`table ${table.name} has no columns`))
    const { values } = await this.#callScan(table, tablet.id, {
      opens: {
        tablet: Buffer.from(tablet.id),
        columns: [projectedColumn(column)],
        readMode: READ_AT_SNAPSHOT,
        orderMode: ORDERED,
        propagated: this.#propagatedTime(),
        authorization: await this.#authorization(table),
      },
      callSeqNo: 0,
      batchBytes: 0,
    })
    if (values.scanner !== undefined) await this.#closeScanner(table, tablet.id, values.scanner)
    if (values.snapshot === undefined) throw unreachable(this.masters, new Error('a server named no snapshot'))
    return values.snapshot
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#connections.values())
    for (const result of opened) if (result.status === 'fulfilled') result.value.close()
    this.#connections.clear()
  }

  #scannerOf(table: KuduTable, scan: TabletScan, first: KuduAnswer<typeof scanAnswer>): Scanner {
    let answer: KuduAnswer<typeof scanAnswer> | undefined = first
    let callSeqNo = 0
    const scannerId = first.values.scanner
    const more = async (): Promise<KuduAnswer<typeof scanAnswer> | undefined> => {
      if (answer?.values.hasMore !== true) return undefined
      return this.#callScan(table, scan.tabletId, {
        scanner: scannerId,
        callSeqNo: ++callSeqNo,
        batchBytes: BATCH_BYTES,
      })
    }
    let isFirst = true
    return {
      next: async () => {
        if (!isFirst) answer = await more()
        isFirst = false
        return answer === undefined ? undefined : blockOf(scan.columns, answer)
      },
      close: async () => {
        if (scannerId !== undefined && answer?.values.hasMore === true)
          await this.#closeScanner(table, scan.tabletId, scannerId)
        answer = undefined
      },
    }
  }

  /** A scanner that is left open ends by itself after a minute. */
  async #closeScanner(table: KuduTable, tabletId: string, scanner: Uint8Array): Promise<void> {
    try {
      await this.#callScan(table, tabletId, { scanner, batchBytes: 0, closes: true })
    } catch (error) {
      if (!(error instanceof KuduServerError) && !(error instanceof MillraceError)) throw error
    }
  }

  async #callScan(
    table: KuduTable,
    tabletId: string,
    request: Values<typeof scanRequest>,
  ): Promise<KuduAnswer<typeof scanAnswer>> {
    const answer = await this.#callTablet(table, tabletId, {
      method: 'Scan',
      features: (request.opens?.predicates ?? []).length === 0 ? [] : [COLUMN_PREDICATES_FEATURE],
      request: [scanRequest, request],
      answer: scanAnswer,
    })
    this.#see(answer.values.propagated)
    return answer
  }

  async #callTablet<Request extends AnyMessage, Answer extends AnyMessage>(
    table: KuduTable,
    tabletId: string,
    call: Omit<KuduCall<Request, Answer>, 'service'>,
  ): Promise<KuduAnswer<Answer>> {
    await this.tablets(table, 'known')
    const leader = this.#locations.get(table.id)?.find(({ id }) => id === tabletId)?.leader
    try {
      if (leader === undefined)
        throw unreachable(this.masters, new Error(`no replica of tablet ${tabletId} of ${table.name} leads`))
      const connection = await this.#connection(leader)
      const answer = await connection.call({ ...call, service: TABLET_SERVICE })
      throwErrorOf('tablet server', answer.values, leader)
      return answer
    } catch (error) {
      if (isElsewhere(error)) this.#locations.delete(table.id)
      if (isUnauthorizedCall(error)) this.#authorizations.delete(table.id)
      throw error
    }
  }

  /** Asked for again once a server has refused it. */
  #authorization(table: KuduTable): Promise<Authorization> {
    const known = this.#authorizations.get(table.id)
    if (known !== undefined) return known
    const asked = this.#askAuthorization(table)
    this.#authorizations.set(table.id, asked)
    return asked
  }

  async #askAuthorization({ id, name }: KuduTable): Promise<Authorization> {
    try {
      const request = { table: { id: Buffer.from(id) } }
      const { values } = await this.#callMaster('GetTableSchema', [getTableSchema, request], tableSchema, name)
      return values.authorization
    } catch (error) {
      this.#authorizations.delete(id)
      throw error
    }
  }

  async #callMaster<Request extends AnyMessage, Answer extends AnyMessage>(
    method: string,
    request: readonly [Request, Values<Request>],
    answer: Answer,
    table: string,
  ): Promise<KuduAnswer<Answer>> {
    try {
      const address = (this.#leaderMaster ??= await this.#findLeader())
      const connection = await this.#connection(address)
      const answered = await connection.call({ service: MASTER_SERVICE, method, request, answer })
      throwErrorOf('master', answered.values, address)
      return answered
    } catch (error) {
      if (error instanceof KuduServerError && error.layer === 'master' && error.code === MASTER.tableNotFound)
        throw tableUnknown(table, this.masters)
      if (isRetriable(error)) this.#leaderMaster = undefined
      throw error
    }
  }

  /** The first master that says it leads: one that says nothing holds nobody back. */
  async #findLeader(): Promise<string> {
    try {
      return await Promise.any(this.#options.masters.map((address) => this.#leading(address)))
    } catch (error) {
      const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
      const failed = errors.find((one) => !(one instanceof LedElsewhere))
      throw failed ?? unreachable(this.masters, new Error('no master leads'))
    }
  }

  async #leading(address: string): Promise<string> {
    const connection = await this.#connection(address)
    const { values } = await connection.call({
      service: MASTER_SERVICE,
      method: 'ConnectToMaster',
      request: [connectToMaster, {}],
      answer: masterInfo,
      features: [CONNECT_TO_MASTER_FEATURE],
    })
    throwErrorOf('master', values, address)
    if (values.role !== LEADER) throw new LedElsewhere(`${address} does not lead`)
    return address
  }

  async #connection(address: string): Promise<KuduConnection> {
    const known = this.#connections.get(address)
    if (known !== undefined) {
      // the call that opened it has reported why that failed; this one opens it again
      const connection = await known.catch(() => undefined)
      if (connection?.isOpen === true) return connection
      if (this.#connections.get(address) === known) this.#connections.delete(address)
    }
    const opening = this.#connections.get(address) ?? this.#open(address)
    this.#connections.set(address, opening)
    return opening
  }

  async #open(address: string): Promise<KuduConnection> {
    const { user, tls, idleConnections } = this.#options
    return KuduConnection.open(address, { user, tls: await tls?.(), idleConnections }, this.#clock)
  }

  #see(timestamp: bigint | undefined): void {
    if (timestamp !== undefined && timestamp > this.#propagated) this.#propagated = timestamp
  }

  #propagatedTime(): bigint | undefined {
    return this.#propagated === 0n ? undefined : this.#propagated
  }
}

function predicatesOf({ equals = [], within }: TabletScan): NonNullable<Values<typeof newScan>['predicates']> {
  const equalities = equals.map(({ column, cell }) => ({
    column: column.name,
    equality: { value: cellBytes(column, cell) },
  }))
  if (within === undefined) return equalities
  const { column, from, to } = within
  const upper = to === undefined ? undefined : cellBytes(column, to)
  return [...equalities, { column: column.name, range: { lower: cellBytes(column, from), upper } }]
}

type ServerError = {
  readonly code?: number | undefined
  readonly status?: { readonly code?: number | undefined; readonly message?: string | undefined } | undefined
}

function throwErrorOf(layer: 'master' | 'tablet server', values: object, address: string): void {
  const { error } = values as { error?: ServerError }
  if (error === undefined) return
  throw new KuduServerError(layer, error.code ?? 0, error.status?.code, `${address}: ${error.status?.message ?? ''}`)
}
