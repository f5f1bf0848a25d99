import type { SourceContext, Split, SplitEnumerator } from '../source.ts'
import type { DatabricksSourceOptions } from './declaration.ts'
import { Feed } from './feed.ts'
import { encodeFeedPosition, FEED_SPLIT, type FeedUnit } from './feed-position.ts'

/** Below the 15 s within which a user hears of a wrong address. A warehouse that starts is waited for. */
const PATIENCE_MS = 8000

/** One split, which begins with the snapshot of the version that is the newest when the job first starts. */
export class FeedEnumerator implements SplitEnumerator {
  readonly #options: DatabricksSourceOptions
  readonly #closing = new AbortController()
  readonly #feed: Feed

  constructor(context: SourceContext, options: DatabricksSourceOptions) {
    this.#options = options
    this.#feed = new Feed(context, options, this.#closing.signal)
  }

  async discover(known: readonly Split[]): Promise<Split[]> {
    if (known.length > 0) return [...known]
    return this.#feed.service.retry('looking at a table', PATIENCE_MS, () => this.#first())
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }

  async #first(): Promise<Split[]> {
    const { id: table } = await this.#feed.look()
    const unit = await this.#firstUnit(table)
    const query = this.#feed.query.fingerprint
    return [{ id: FEED_SPLIT, position: encodeFeedPosition({ table, unit, skip: 0, query }), finished: false }]
  }

  async #firstUnit(table: string): Promise<FeedUnit> {
    const { startingVersion, version } = this.#options
    if (startingVersion !== undefined) return { kind: 'changes', from: startingVersion, to: null }
    return { kind: 'snapshot', version: version ?? (await this.#feed.newest(table)) }
  }
}
