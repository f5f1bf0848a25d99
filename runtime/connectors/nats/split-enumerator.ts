import { MillraceError } from '../../model/errors.ts'
import { retrying } from '../kit/retry.ts'
import type { SourceContext, Split, SplitEnumerator } from '../source.ts'
import { openClient, retryEnvironment } from './access.ts'
import type { NatsClient, NatsConnect, StreamState } from './client.ts'
import type { NatsSourceOptions } from './declaration.ts'
import { decodePosition, encodePosition } from './split-position.ts'
import { checkSameStream } from './stream-errors.ts'

/** Below the 15 s within which a user hears of a wrong address. */
const PATIENCE_MS = 8000

/**
 * One split for each stream, with the sequence to start from already looked up: `latest` means the start of the job, not
 * the moment in which some reader first gets to it.
 */
export class NatsSplitEnumerator implements SplitEnumerator {
  readonly #context: SourceContext
  readonly #options: NatsSourceOptions
  readonly #connect: NatsConnect
  readonly #closing = new AbortController()
  #client: NatsClient | undefined

  constructor(context: SourceContext, options: NatsSourceOptions, connect: NatsConnect) {
    this.#context = context
    this.#options = options
    this.#connect = connect
  }

  async discover(known: readonly Split[]): Promise<Split[]> {
    const client = (this.#client ??= openClient(this.#connect, this.#options, this.#context.ports))
    const environment = retryEnvironment(this.#context, this.#closing.signal)
    const byStream = new Map(known.map((split) => [split.id, split]))
    const fresh: Split[] = []
    for (const name of this.#options.streams) {
      const state = await retrying(environment, `looking up the stream ${name}`, PATIENCE_MS, () => client.stream(name))
      const split = byStream.get(name)
      if (split === undefined) fresh.push(await this.#firstSplit(client, state))
      else checkSameStream(state, decodePosition(split))
    }
    return [...known, ...fresh]
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#client?.close()
  }

  async #firstSplit(client: NatsClient, state: StreamState): Promise<Split> {
    checkRetention(state)
    const { bounded } = this.#options
    const next = await this.#firstSequence(client, state)
    const { name: id, created, last } = state
    const end = bounded ? last : undefined
    return { id, position: encodePosition({ created, next, end }), finished: bounded && (last < next || last === 0) }
  }

  #firstSequence(client: NatsClient, { name, last }: StreamState): Promise<number> {
    const { startFrom } = this.#options
    if (startFrom.kind === 'earliest') return Promise.resolve(0)
    if (startFrom.kind === 'latest') return Promise.resolve(last + 1)
    const environment = retryEnvironment(this.#context, this.#closing.signal)
    return retrying(environment, `looking up the start in the stream ${name}`, PATIENCE_MS, () =>
      client.firstSince(name, startFrom.time),
    )
  }
}

/** Such streams remove messages that the source has not read: no consumer of theirs is known to keep them. */
function checkRetention({ name, retention }: StreamState): void {
  if (retention === 'limits') return
  throw new MillraceError(
    'NATS_RETENTION',
    `the stream ${name} has the retention ${retention}: it does not keep messages until a job has read them`,
    {
      domain: 'user',
      hint: 'Read a stream with the retention limits; one that has this stream as its source gets the same messages.',
    },
  )
}
