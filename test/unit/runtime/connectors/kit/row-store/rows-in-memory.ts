import type {
  Generation,
  HeadRow,
  ObjectRows,
  Part,
} from '../../../../../../runtime/connectors/kit/row-store/object-rows.ts'

/** Parts and the condemnation of a generation. */
interface Written {
  readonly of: Generation
  readonly parts: Map<number, Uint8Array>
  isCondemned: boolean
}

/** A table in memory. `turn` resolves before each step of a call: tests let calls overtake each other. */
export class RowsInMemory implements ObjectRows {
  readonly inlineBytes = 16_000
  readonly partBytes = 60_000
  readonly headRows = new Map<string, HeadRow>()
  readonly written = new Map<string, Written>()
  readonly turn: () => Promise<void>

  constructor(turn: () => Promise<void> = () => Promise.resolve()) {
    this.turn = turn
  }

  /** The same table, with other turns. */
  during(turn: () => Promise<void>): RowsInMemory {
    const same = new RowsInMemory(turn)
    Object.assign(same, { headRows: this.headRows, written: this.written })
    return same
  }

  async head(path: string): Promise<Uint8Array | undefined> {
    await this.turn()
    return this.headRows.get(path)?.bytes
  }

  async insertHead(path: string, head: HeadRow): Promise<boolean> {
    await this.turn()
    if (this.headRows.has(path)) return false
    this.headRows.set(path, head)
    return true
  }

  async putHead(path: string, head: HeadRow): Promise<void> {
    await this.turn()
    this.headRows.set(path, head)
  }

  async deleteHead(path: string): Promise<void> {
    await this.turn()
    this.headRows.delete(path)
  }

  async heads(prefix: string): Promise<readonly string[]> {
    return [...this.headRows.keys()].filter((path) => path.startsWith(prefix))
  }

  async writeParts(of: Generation, parts: readonly Uint8Array[]): Promise<void> {
    await this.turn()
    this.#rowsOf(of, 'made').parts.clear()
    for (const [number, bytes] of parts.entries()) this.#rowsOf(of, 'made').parts.set(number, bytes)
  }

  async parts(of: Generation): Promise<readonly Part[]> {
    return [...this.#rowsOf(of).parts].map(([number, bytes]) => ({ number, bytes }))
  }

  async generations(prefix: string): Promise<readonly Generation[]> {
    return [...this.written.values()].map(({ of }) => of).filter(({ path }) => path.startsWith(prefix))
  }

  async generationsOf(path: string): Promise<readonly Generation[]> {
    await this.turn()
    return [...this.written.values()].map(({ of }) => of).filter((of) => of.path === path)
  }

  async deleteGeneration(of: Generation): Promise<void> {
    await this.turn()
    this.#rowsOf(of).parts.clear()
    await this.turn()
    this.written.delete(keyOf(of))
  }

  async condemn(of: Generation): Promise<void> {
    await this.turn()
    this.#rowsOf(of, 'made').isCondemned = true
  }

  async absolve(of: Generation): Promise<void> {
    await this.turn()
    this.#rowsOf(of).isCondemned = false
  }

  async isKept(of: Generation, count: number): Promise<boolean> {
    await this.turn()
    const { parts, isCondemned } = this.#rowsOf(of)
    return !isCondemned && parts.size === count
  }

  #rowsOf(of: Generation, absent?: 'made'): Written {
    const rows = this.written.get(keyOf(of)) ?? { of, parts: new Map<number, Uint8Array>(), isCondemned: false }
    if (absent === 'made') this.written.set(keyOf(of), rows)
    return rows
  }
}

function keyOf({ path, name }: Generation): string {
  return JSON.stringify([path, name])
}
