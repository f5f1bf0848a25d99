import { MillraceError } from '../../model/errors.ts'
import type { Fields } from '../../model/fields.ts'
import type { Row } from '../../model/schema.ts'
import type { Clock } from '../../ports/clock.ts'
import { retrying } from '../kit/retry.ts'
import type { Staged, StagedOutput, StagedSender } from '../kit/staged-writer.ts'
import type { NatsSinkOptions } from './declaration.ts'
import { messageId, PATIENCE_MS, Publisher, type NumberedMessage } from './publisher.ts'
import type { OpenedSink } from './sink-writer.ts'
import { decodeStaged, encodeStaged } from './staged-file.ts'
import { storedNumbers } from './stored-numbers.ts'

/** A checkpoint keeps this of messages that are to be published: the stream as it was when none of them was. */
type AboutStream = { readonly stream: string; readonly created: string; readonly behind: number; readonly at: number }

/**
 * Messages that wait for their checkpoint under ids that never change. A stream drops an id that it has stored within its
 * duplicate window, and knows nothing of it later. So whoever publishes messages that may be stored looks into the stream
 * first: those of one checkpoint can only lie behind the sequence that was the last one at its barrier. What is found is
 * left out. Within half of the window after the barrier, or after a look, nobody needs to look (again): two who publish
 * the same message without seeing each other's are then less than a window apart, and the stream drops one of the two.
 */
export class NatsStagedOutput implements StagedOutput<NumberedMessage, AboutStream> {
  readonly target: string
  readonly encode = encodeStaged
  readonly decode = decodeStaged
  readonly #sink: OpenedSink
  readonly #options: NatsSinkOptions
  readonly #name: string
  readonly #clock: Clock
  #next = 0
  /** As it was when the stream was last looked at. */
  #windowMs: number

  constructor(sink: OpenedSink, options: NatsSinkOptions, { name, clock }: { name: string; clock: Clock }) {
    this.#sink = sink
    this.#options = options
    this.target = options.stream
    this.#name = name
    this.#clock = clock
    this.#windowMs = sink.stream.duplicateWindowMs
  }

  add(row: Row): Iterable<NumberedMessage> {
    return [{ ...this.#sink.messages.of(row), n: this.#next++ }]
  }

  takeOpen(): Iterable<NumberedMessage> {
    return []
  }

  bytesOf({ data }: NumberedMessage): number {
    return data.length
  }

  async about(): Promise<AboutStream> {
    const at = this.#clock.now()
    const { created, last, duplicateWindowMs } = await retrying(
      this.#sink.environment,
      `looking up the stream ${this.target}`,
      PATIENCE_MS,
      () => this.#sink.client.stream(this.target),
    )
    this.#windowMs = duplicateWindowMs
    return { stream: this.target, created, behind: last, at }
  }

  readAbout({ stream, created, behind, at }: Fields): AboutStream | undefined {
    const isSound =
      typeof stream === 'string' &&
      typeof created === 'string' &&
      typeof at === 'number' &&
      typeof behind === 'number' &&
      Number.isSafeInteger(behind) &&
      behind >= 0
    return isSound ? { stream, created, behind, at } : undefined
  }

  targetOf({ stream }: AboutStream): string {
    return stream
  }

  sender({ about, producer }: Staged<AboutStream>): StagedSender<NumberedMessage> {
    const { client, environment } = this.#sink
    // nobody but this writer has published its messages before the barrier
    let sureSince = producer === this.#name ? about.at : -Infinity
    let stored: ReadonlySet<number> = new Set()
    const publisher = new Publisher({
      client,
      environment,
      stream: this.target,
      writer: producer,
      window: this.#options.inFlight,
      before: async () => {
        if (this.#isWithin(sureSince)) return stored
        const now = this.#clock.now()
        stored = await this.#look(about, producer)
        sureSince = now
        return stored
      },
    })
    return { send: (message) => publisher.send(message), flush: () => publisher.flush(), end: () => undefined }
  }

  close(): Promise<void> {
    return this.#sink.client.close()
  }

  #isWithin(since: number): boolean {
    return this.#clock.now() - since < this.#windowMs / 2
  }

  async #look({ created, behind, at }: AboutStream, producer: string): Promise<ReadonlySet<number>> {
    const { client } = this.#sink
    const state = await client.stream(this.target)
    this.#windowMs = state.duplicateWindowMs
    // what another stream of that name had stored is gone with it
    const from = state.created === created ? Math.min(behind, state.last) : 0
    const { numbers, isWhole } = await storedNumbers(client, state, {
      from: from + 1,
      prefix: messageId(producer, 0).slice(0, -1),
    })
    if (isWhole || this.#isWithin(at) || this.#options.whenUnsure === 'publish') return numbers
    throw this.#unsure(behind, at)
  }

  #unsure(behind: number, at: number): MillraceError {
    return new MillraceError(
      'NATS_UNSURE_WHETHER_PUBLISHED',
      `the stream ${this.target} has removed messages behind ${behind}, which may have been rows of ${new Date(at).toISOString()} that wait in ${this.#options.files ?? ''}: the stream recognises them for half of its duplicate window of ${this.#windowMs} ms only`,
      {
        domain: 'user',
        hint: 'Look whether consumers have got these rows. whenUnsure: publish publishes them, perhaps again; a longer duplicate window lets a job be away for longer.',
      },
    )
  }
}
