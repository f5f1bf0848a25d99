import type { JoinPane } from '../../codegen/join-contracts.ts'
import type { RecordArena } from '../../memory/arena/record-arena.ts'
import type { PaneTexts, RowLog } from '../../codegen/rows/row-log.ts'
import { RowTexts } from '../../memory/row-texts.ts'
import { StoredPane } from '../../memory/arena/stored-rows.ts'

/** An emptied log that is larger than this is let go. */
const KEPT_ROWS = 1 << 16

/**
 * The rows of one side by stretches of time, so that old ones are dropped whole. Without a length there is one, for
 * ever.
 */
export class JoinPanes {
  /** In the order of time. */
  readonly panes: JoinPane[] = []
  readonly #paneMs: number | undefined
  readonly #parts: number
  readonly #create: (texts: PaneTexts, part: number) => RowLog
  readonly #arena: RecordArena | undefined
  readonly #spare: RowLog[] = []
  readonly #chunks: Buffer[] = []
  /** How many snapshots still read a pane; those that were dropped meanwhile. */
  readonly #readers = new Map<JoinPane, number>()
  readonly #dropped = new Set<JoinPane>()
  #serials = 0

  /** `arena`: where the rows of logs that `create` makes are stored. */
  constructor(
    paneMs: number | undefined,
    partBits: number,
    create: (texts: PaneTexts, part: number) => RowLog,
    arena: RecordArena | undefined,
  ) {
    this.#paneMs = paneMs
    this.#parts = 1 << partBits
    this.#create = create
    this.#arena = arena
  }

  /** The pane of a moment; one that is not there yet enters with its first part, so that refused rows leave nothing. */
  at(time: number): JoinPane {
    const paneMs = this.#paneMs
    const start = paneMs === undefined ? -Infinity : Math.floor(time / paneMs) * paneMs
    return (
      this.panes.find((pane) => pane.start === start) ?? {
        serial: this.#serials++,
        start,
        end: paneMs === undefined ? Infinity : start + paneMs,
        parts: new Array<RowLog | undefined>(this.#parts).fill(undefined),
        texts: this.#texts(),
      }
    )
  }

  #texts(): PaneTexts {
    if (this.#arena === undefined) return new RowTexts(this.#chunks)
    return new StoredPane(this.#arena, this.#paneMs === undefined ? 'for each part' : 'for all parts')
  }

  part(pane: JoinPane, part: number): RowLog {
    if (!this.panes.includes(pane)) {
      const behind = this.panes.findIndex((other) => other.start > pane.start)
      this.panes.splice(behind < 0 ? this.panes.length : behind, 0, pane)
    }
    return (pane.parts[part] ??= this.#emptyLog(pane.texts, part))
  }

  #emptyLog(texts: PaneTexts, part: number): RowLog {
    const spare = this.#spare.pop()
    if (spare === undefined) return this.#create(texts, part)
    spare.clear(texts, part)
    return spare
  }

  get first(): JoinPane | undefined {
    return this.panes[0]
  }

  drop(pane: JoinPane): void {
    this.panes.splice(this.panes.indexOf(pane), 1)
    if (this.#readers.has(pane)) this.#dropped.add(pane)
    else this.#recycle(pane)
  }

  /** The panes there are: their rows stay, whatever is dropped, until they are given to `release`. */
  freeze(): JoinPane[] {
    for (const pane of this.panes) this.#readers.set(pane, (this.#readers.get(pane) ?? 0) + 1)
    return [...this.panes]
  }

  release(panes: readonly JoinPane[]): void {
    for (const pane of panes) {
      const readers = (this.#readers.get(pane) ?? 0) - 1
      if (readers > 0) {
        this.#readers.set(pane, readers)
        continue
      }
      this.#readers.delete(pane)
      if (this.#dropped.delete(pane)) this.#recycle(pane)
    }
  }

  #recycle(pane: JoinPane): void {
    pane.texts.release()
    for (const log of pane.parts) {
      if (log === undefined || log.h.length > KEPT_ROWS) continue
      this.#spare.push(log)
    }
  }

  size(): number {
    let rows = 0
    for (const pane of this.panes) for (const log of pane.parts) rows += log?.n ?? 0
    return rows
  }
}
