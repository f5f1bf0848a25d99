import type { Row } from '../../../runtime/model/schema.ts'

/**
 * Schema, state and functions of a process job that uses value, list, map and timers; and what it computes, written
 * plainly.
 */
export const TOTALS_SCHEMA = { user: 'string', region: 'long?', amount: 'long', at: 'timestamp' }

export const TOTALS_ENTRY = {
  keyBy: ['user', 'region'],
  process: {
    module: 'user',
    function: 'totals',
    output: { user: 'string', what: 'string', value: 'long', at: 'timestamp' },
    sideOutputs: { large: { user: 'string', amount: 'long', at: 'timestamp' } },
    state: {
      total: { value: { sum: 'long', rows: 'long' } },
      recent: { list: { amount: 'long', at: 'timestamp' } },
      byParity: { map: { rows: 'long' }, key: { odd: 'boolean' } },
    },
  },
}

interface Payment {
  user: string
  region: number | null
  amount: number
  at: number
}
interface Table<R> {
  get(): R | undefined
  set(row: R): void
  clear(): void
}
interface View {
  key: Row
  state: {
    total: Table<{ sum: number; rows: number }>
    recent: {
      add(row: { amount: number; at: number }): void
      rows(): { amount: number; at: number }[]
      retain(keep: (row: { at: number }) => boolean): number
      clear(): void
    }
    byParity: {
      get(odd: boolean): { rows: number } | undefined
      set(odd: boolean, row: { rows: number }): void
      entries(): [boolean, { rows: number }][]
      clear(): void
    }
  }
  timers: { at(time: number): void; cancel(time: number): void }
  emit(row: object): void
  sideOutput(name: string, row: object): void
}

const QUIET_MS = 20
const KEPT_MS = 30

/** A total after each payment, the amounts of the last moments, and a summary once a user was quiet for a while. */
export const totals = {
  onRow(row: Payment, context: View): void {
    const { total, recent, byParity } = context.state
    const before = total.get() ?? { sum: 0, rows: 0 }
    const sum = before.sum + row.amount
    total.set({ sum, rows: before.rows + 1 })
    recent.retain(({ at }) => at > row.at - KEPT_MS)
    recent.add({ amount: row.amount, at: row.at })
    const odd = row.amount % 2 !== 0
    byParity.set(odd, { rows: (byParity.get(odd)?.rows ?? 0) + 1 })
    context.timers.at(row.at + QUIET_MS)
    if (row.amount % 7 === 0) context.timers.cancel(row.at + QUIET_MS)
    context.emit({ user: row.user, what: 'sum', value: sum, at: row.at })
    if (row.amount > 90) context.sideOutput('large', row)
  },
  onTimer(time: number, context: View): void {
    const user = String(context.key['user'])
    const value = context.state.recent.rows().reduce((most, { amount }) => Math.max(most, amount), 0)
    const odd = context.state.byParity.entries().find(([key]) => key)?.[1].rows ?? 0
    context.emit({ user, what: `most recent, ${odd} odd`, value, at: time })
    if (context.state.total.get()?.rows === 3) {
      context.state.total.clear()
      context.state.recent.clear()
      context.state.byParity.clear()
    }
  },
}

interface Account {
  user: string
  sum: number
  rows: number
  recent: Payment[]
  odd: number
  timers: Set<number>
}

/** The same with one Map and no engine. */
export class PlainTotals {
  readonly #accounts = new Map<string, Account>()
  readonly out: Row[] = []
  readonly large: Row[] = []

  add(row: Payment): void {
    const key = JSON.stringify([row.user, row.region])
    const account = this.#accounts.get(key) ?? {
      user: row.user,
      sum: 0,
      rows: 0,
      recent: [],
      odd: 0,
      timers: new Set(),
    }
    this.#accounts.set(key, account)
    account.sum += row.amount
    account.rows += 1
    account.recent = [...account.recent.filter(({ at }) => at > row.at - KEPT_MS), row]
    if (row.amount % 2 !== 0) account.odd += 1
    if (row.amount % 7 === 0) account.timers.delete(row.at + QUIET_MS)
    else account.timers.add(row.at + QUIET_MS)
    this.out.push({ user: row.user, what: 'sum', value: account.sum, at: row.at })
    if (row.amount > 90) this.large.push({ user: row.user, amount: row.amount, at: row.at })
  }

  watermark(time: number): void {
    const due = [...this.#accounts.values()].flatMap((account) =>
      [...account.timers].filter((at) => at <= time).map((at) => ({ account, at })),
    )
    for (const { account, at } of due.sort((a, b) => a.at - b.at)) {
      account.timers.delete(at)
      const value = account.recent.reduce((most, { amount }) => Math.max(most, amount), 0)
      this.out.push({ user: account.user, what: `most recent, ${account.odd} odd`, value, at })
      if (account.rows === 3) Object.assign(account, { sum: 0, rows: 0, recent: [], odd: 0 })
    }
  }
}
