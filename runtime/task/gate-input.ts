import type { BatchCodec } from '../codegen/contracts.ts'
import type { InputGate } from '../exchange/input-gate.ts'
import { MillraceError } from '../model/errors.ts'
import type { Input, InputStep } from './input.ts'

/** How the rows of one exchange are read. */
export interface ExchangeReader {
  codec: BatchCodec
  input: number
}

/** Feeds a subtask from the channels of other subtasks. */
export class GateInput implements Input {
  readonly #gate: InputGate
  readonly #readers: ReadonlyMap<string, ExchangeReader>

  /** `readers` by the id of the exchange. */
  constructor(gate: InputGate, readers: ReadonlyMap<string, ExchangeReader>) {
    this.#gate = gate
    this.#readers = readers
  }

  next(): InputStep {
    const element = this.#gate.poll()
    switch (element?.kind) {
      case undefined:
        return { kind: 'idle', retryMs: undefined }
      case 'batch':
        return this.#decode(element.exchange, element.bytes)
      case 'watermark':
        return { kind: 'watermark', time: element.time }
      case 'idle':
        return { kind: 'idleInput' }
      case 'barrier':
        return { kind: 'barrier', checkpoint: element.checkpoint, extent: element.extent }
    }
  }

  #decode(exchange: string, bytes: Uint8Array): InputStep {
    const reader = this.#readers.get(exchange)
    if (reader === undefined)
      throw new MillraceError('CHANNEL_UNKNOWN', `rows came over ${exchange}, which is not an input`)
    return { kind: 'batch', batch: reader.codec.read(bytes), input: reader.input }
  }

  trigger(): void {
    /* The barrier comes in band. */
  }

  addSplits(): void {
    /* Only sources have splits. */
  }

  onGroupMinimum(): void {
    /* Only sources are aligned. */
  }

  pausedSplits(): number {
    return 0
  }

  snapshot(): Readonly<Record<string, never>> {
    return {}
  }

  notifyComplete(): Promise<void> {
    return Promise.resolve()
  }

  lagRecords(): undefined {
    return undefined
  }

  close(): Promise<void> {
    this.#gate.close()
    return Promise.resolve()
  }
}
