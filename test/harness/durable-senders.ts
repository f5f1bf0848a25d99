import { expect } from 'vitest'

/** Sends one record; resolves when it was acknowledged, rejects when it was not, or when nobody knows. */
export type SendRecord = (id: string) => Promise<void>

/** Senders that repeat each record until it is acknowledged, and remember how often they tried. */
export class DurableSenders {
  readonly tries = new Map<string, number>()
  readonly acknowledged = new Set<string>()
  readonly #send: SendRecord
  #stopped = false
  #running: Promise<void>[] = []

  constructor(send: SendRecord) {
    this.#send = send
  }

  start(names: readonly string[]): void {
    this.#running = names.map((name) => this.#run(name))
  }

  /** Resolves once every record that was tried is acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  async #run(name: string): Promise<void> {
    for (let number = 0; !this.#stopped; number++) await this.#deliver(`${name}-${number}`)
  }

  async #deliver(id: string): Promise<void> {
    while (!this.acknowledged.has(id)) {
      this.tries.set(id, (this.tries.get(id) ?? 0) + 1)
      try {
        await this.#send(id)
        this.acknowledged.add(id)
      } catch {
        // an answer that did not come says nothing: it is sent again after a while, as senders do
        await new Promise((resolve) => {
          setTimeout(resolve, 20)
        })
      }
    }
  }

  /** Each acknowledged record came out, and none more often than it was sent; sent once, it came out once. */
  expectAll(found: readonly string[]): void {
    const counts = new Map<string, number>()
    for (const id of found) counts.set(id, (counts.get(id) ?? 0) + 1)
    const lost = [...this.acknowledged].filter((id) => !counts.has(id))
    const tooOften = [...counts].filter(([id, count]) => count > (this.tries.get(id) ?? 0))
    expect({ lost, tooOften }).toEqual({ lost: [], tooOften: [] })
  }
}

/** Acknowledged means that the records of a request are in the log. */
export function byWebhook(port: number): SendRecord {
  return async (id) => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      body: JSON.stringify({ id }),
      signal: AbortSignal.timeout(2_000),
    })
    await answer.text()
    if (!answer.ok) throw new Error(`status ${answer.status}`)
  }
}
