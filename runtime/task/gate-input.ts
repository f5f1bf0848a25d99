import type { BatchCodec } from '../codegen/contracts.ts'
import type { InputGate } from '../exchange/input-gate.ts'
import type { Row } from '../model/schema.ts'
import type { Input, InputStep } from './input.ts'

/** Feeds a subtask from the channels of other subtasks. */
export class GateInput implements Input {
  readonly #gate: InputGate
  readonly #codec: BatchCodec
  readonly #rows: Row[] = []

  constructor(gate: InputGate, codec: BatchCodec) {
    this.#gate = gate
    this.#codec = codec
  }

  next(): InputStep {
    const element = this.#gate.poll()
    switch (element?.kind) {
      case undefined: return { kind: 'idle', retryMs: undefined }
      case 'batch': return { kind: 'rows', rows: this.#rows, count: this.#codec.decode(element.bytes, this.#rows) }
      case 'watermark': return { kind: 'watermark', time: element.time }
      case 'barrier': return { kind: 'barrier', checkpoint: element.checkpoint }
    }
  }

  trigger(): void { /* The barrier comes in band. */ }

  snapshot(): Readonly<Record<string, never>> { return {} }

  notifyComplete(): Promise<void> { return Promise.resolve() }

  lagRecords(): undefined { return undefined }

  close(): Promise<void> {
    this.#gate.close()
    return Promise.resolve()
  }
}
