import { ParquetWriter } from '../../formats/parquet/parquet-writer.ts'
import { RowBatch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { SinkContext } from '../sink.ts'
import type { DatabricksService } from './service.ts'
import { GATE_COLUMN, setProperty } from './sql.ts'
import type { Volume } from './volume.ts'
import type { Warehouse } from './warehouse.ts'

const PATIENCE_MS = 60_000
const GATE = /^gate-(\d{1,16})-(\d{1,9})-[0-9a-f]{1,32}\.parquet$/
/** A gate that no attempt of a job comes behind. */
const LAST_ATTEMPT = Number.MAX_SAFE_INTEGER

export interface GateParts {
  readonly context: Pick<SinkContext, 'jobUid' | 'predecessors' | 'operatorId' | 'attempt' | 'ports'>
  readonly service: DatabricksService
  readonly warehouse: Warehouse
  readonly volume: Volume
  readonly table: string
}

/**
 * Keeps statements out that were sent before and may still run, or arrive late: those of older attempts, of a process
 * that was taken for dead, and one of our own whose answer was lost. A gate is a file that each MERGE reads. To close the
 * older gates their files are deleted, so that nothing begins any more that names them; then a property of the table is
 * set, so that what has begun and is not committed fails. What was committed before is older than all that comes.
 * docs/databricks.md has the whole argument.
 */
export class Gate {
  readonly #parts: GateParts
  #open: string | undefined
  #opened = 0

  constructor(parts: GateParts) {
    this.#parts = parts
  }

  /** The whole path of the file that a statement has to read. Closes older gates if that was not done since `close`. */
  async open(): Promise<string> {
    this.#open ??= await this.#replace()
    return this.#open
  }

  /** Called when a statement that reads the gate may still run. */
  close(): void {
    this.#open = undefined
  }

  /**
   * The own gate comes first, then the look at the others: of two attempts that do it at the same time the newer one sees
   * the gate of the older and deletes it, or the older sees that of the newer and ends.
   */
  async #replace(): Promise<string> {
    const { context, volume, table, service, warehouse } = this.#parts
    const { jobUid, operatorId, attempt, ports } = context
    const folder = `${jobUid}/${operatorId}`
    await volume.makeFolder(folder)
    const turn = this.#opened++
    // a try to write it that is carried out late would open a gate again that was closed: each has a name of its own
    const name = await service.retry('opening a gate', PATIENCE_MS, async () => {
      const fresh = gateName(attempt, turn, ports.rng.id())
      await volume.putOnce(`${folder}/${fresh}`, gateFile())
      return fresh
    })
    for (const other of await volume.list(folder)) {
      const [, ofAttempt, ofTurn] = GATE.exec(other) ?? []
      if (ofAttempt === undefined || other === name) continue
      if (Number(ofAttempt) > attempt || (Number(ofAttempt) === attempt && Number(ofTurn) > turn)) {
        await volume.delete(`${folder}/${name}`)
        throw superseded(operatorId, attempt, Number(ofAttempt))
      }
      await volume.delete(`${folder}/${other}`)
    }
    for (const job of context.predecessors) await this.#closeForEver(`${job}/${operatorId}`)
    const property = `millrace.${jobUid}.${operatorId}`
    await service.retry('setting a property of a table', PATIENCE_MS, () =>
      warehouse.execute({ text: setProperty(table, property, name) }),
    )
    return `${volume.path}/${folder}/${name}`
  }

  /** A job that is gone has no newer attempt that would end its older ones. */
  async #closeForEver(folder: string): Promise<void> {
    const { context, volume } = this.#parts
    if ((await volume.list(folder)).size === 0) return
    const last = gateName(LAST_ATTEMPT, 0, context.ports.rng.id())
    await volume.put(`${folder}/${last}`, gateFile())
    for (const name of await volume.list(folder))
      if (GATE.test(name) && name !== last) await volume.delete(`${folder}/${name}`)
  }
}

function gateName(attempt: number, turn: number, id: string): string {
  return `gate-${attempt}-${turn}-${id}.parquet`
}

/** One row, which says that the gate is open. */
function gateFile(): Buffer {
  const fields = [{ name: GATE_COLUMN, type: 'boolean', nullable: false } as const]
  const writer = new ParquetWriter({ fields }, { compression: 'none', jsonAs: 'text' })
  writer.add(new RowBatch([{ [GATE_COLUMN]: true }]))
  writer.end()
  return Buffer.concat(writer.take())
}

function superseded(operatorId: string, attempt: number, newer: number): MillraceError {
  const by = newer === LAST_ATTEMPT ? 'another job that continues its work' : `attempt ${newer}`
  return new MillraceError(
    'SINK_FENCED',
    `attempt ${attempt} of the sink ${operatorId} is over: ${by} has begun to write its table`,
    { domain: 'platform' },
  )
}
