/** Counts the records of one operator in a subtask, since the subtask was compiled. */
export class RecordTally {
  /** Records and rows that came to the operator, bad ones included. */
  seen = 0
  skipped = 0
  deadLettered = 0
  /** Why the first of them was left out. */
  firstReason: string | undefined
  /** Rows that reached the operator inside a loop, where counting each one would cost time. */
  #derived: (() => number) | undefined

  /** `seen` is asked for when somebody looks. */
  derive(seen: () => number): void {
    this.#derived = seen
  }

  refused(kind: 'skipped' | 'deadLettered', reason: string): void {
    this[kind] += 1
    this.firstReason ??= reason
  }

  get refusedCount(): number {
    return this.skipped + this.deadLettered
  }

  get total(): number {
    return this.#derived?.() ?? this.seen
  }
}

/** One tally for each operator of a subtask. */
export class RecordTallies {
  readonly #tallies = new Map<string, RecordTally>()

  of(operatorId: string): RecordTally {
    const known = this.#tallies.get(operatorId)
    if (known !== undefined) return known
    const tally = new RecordTally()
    this.#tallies.set(operatorId, tally)
    return tally
  }

  entries(): readonly (readonly [operatorId: string, tally: RecordTally])[] {
    return [...this.#tallies]
  }
}
