import type { SinkWriter } from '../connectors/sink.ts'
import { MillraceError } from '../model/errors.ts'
import type { Row } from '../model/schema.ts'
import type { BadRecords } from '../task/bad-records.ts'

/** What a deployment opens for one attempt, and the chain uses from its first row on. */
export interface OpenedOutlets {
  /** By operator id. */
  readonly sinks: ReadonlyMap<string, SinkWriter>
  readonly badRecords: BadRecords
}

/**
 * The places of a compiled chain where an attempt connects what leads outside. Connected once, before the first
 * row.
 */
export class Outlets {
  #opened: OpenedOutlets | undefined

  connect(opened: OpenedOutlets): void {
    if (this.#opened !== undefined) throw new MillraceError('OUTLETS_CONNECTED', 'a chain was deployed twice')
    this.#opened = opened
  }

  /** Throws SINK_MISSING before the chain is connected, or when it has no such sink. */
  sink(operatorId: string): SinkWriter {
    const writer = this.#opened?.sinks.get(operatorId)
    if (writer === undefined) throw new MillraceError('SINK_MISSING', `sink ${operatorId} is not open`)
    return writer
  }

  /** Throws the error itself before the chain is connected: no row can have come then. */
  onBadRow(error: unknown, row: Row, operatorId: string): void {
    if (this.#opened === undefined) throw error
    this.#opened.badRecords.onRow(error, row, operatorId)
  }
}
