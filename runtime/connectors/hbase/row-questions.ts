import { MillraceError } from '../../model/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ReadCell } from './cell-set.ts'

/** The gateway takes 64 kB of address and headers (RESTServer of hbase-rest); a key of any length still fits. */
const ADDRESS_CHARACTERS = 16_000
const KEYS_A_REQUEST = 100
/** Questions that come meanwhile go together. */
const REQUESTS = 4

type Cells = ReadonlyMap<string, ReadCell>
type Rows = ReadonlyMap<string, Cells>

interface Waiter {
  answer(cells: Cells | undefined): void
  fail(error: unknown): void
}

/** Gathers questions for rows, so that one request asks for many. Keys are base64. */
export class RowQuestions {
  readonly #clock: Clock
  readonly #table: string
  readonly #get: (keys: readonly string[]) => Promise<Rows>
  readonly #waiting = new Map<string, Set<Waiter>>()
  #underWay = 0
  #isSending = false

  constructor(clock: Clock, table: string, get: (keys: readonly string[]) => Promise<Rows>) {
    this.#clock = clock
    this.#table = table
    this.#get = get
  }

  /** Resolves with the cells of the row, undefined where there is none. Rejects as `get`, and when `signal` is aborted. */
  ask(key: string, signal: AbortSignal): Promise<Cells | undefined> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiters.delete(waiter)
        if (waiters.size === 0 && this.#waiting.get(key) === waiters) this.#waiting.delete(key)
        reject(signal.reason as Error)
      }
      const waiter: Waiter = {
        answer: (cells) => {
          signal.removeEventListener('abort', leave)
          resolve(cells)
        },
        fail: (error) => {
          signal.removeEventListener('abort', leave)
          reject(error as Error)
        },
      }
      const waiters = this.#waiting.get(key) ?? new Set<Waiter>()
      this.#waiting.set(key, waiters.add(waiter))
      if (signal.aborted) leave()
      else signal.addEventListener('abort', leave, { once: true })
      this.#soon()
    })
  }

  /** The questions of one turn go together. */
  #soon(): void {
    if (this.#isSending) return
    this.#isSending = true
    this.#clock.nextTurn(() => {
      this.#isSending = false
      while (this.#underWay < REQUESTS && this.#waiting.size > 0) this.#send()
    })
  }

  #send(): void {
    const asked = new Map<string, Set<Waiter>>()
    let characters = 0
    for (const [key, waiters] of this.#waiting) {
      characters += key.length
      if (asked.size > 0 && (asked.size >= KEYS_A_REQUEST || characters > ADDRESS_CHARACTERS)) break
      asked.set(key, waiters)
      this.#waiting.delete(key)
    }
    this.#underWay++
    void this.#request(asked).finally(() => {
      this.#underWay--
      this.#soon()
    })
  }

  /** Never rejects: the waiters are told. */
  async #request(asked: ReadonlyMap<string, ReadonlySet<Waiter>>): Promise<void> {
    try {
      const rows = await this.#rowsOf([...asked.keys()])
      for (const [key, waiters] of asked) {
        const row = rows.get(key)
        for (const waiter of waiters) {
          if (row instanceof MillraceError) waiter.fail(row)
          else waiter.answer(row)
        }
      }
    } catch (error) {
      for (const waiters of asked.values()) for (const waiter of waiters) waiter.fail(error)
    }
  }

  /** Rows that are too large together are asked for in halves; one that is too large alone is an error of its own. */
  async #rowsOf(keys: readonly string[]): Promise<ReadonlyMap<string, Cells | MillraceError>> {
    try {
      return await this.#get(keys)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'HTTP_TOO_LARGE') throw error
      const [key = ''] = keys
      if (keys.length === 1)
        return new Map([
          [
            key,
            new MillraceError('HBASE_ROW_TOO_LARGE', `a row of ${this.#table} is too large to be looked up`, {
              domain: 'user',
              cause: error,
              hint: 'Ask for fewer columns.',
            }),
          ],
        ])
    }
    const half = Math.ceil(keys.length / 2)
    return new Map([...(await this.#rowsOf(keys.slice(0, half))), ...(await this.#rowsOf(keys.slice(half)))])
  }
}
