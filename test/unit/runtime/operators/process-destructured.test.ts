import { expect, test } from 'vitest'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'

interface Value {
  get(): { n: number } | null
  set(row: object): void
  clear(): void
}
interface List {
  add(row: object): void
  rows(): object[]
  retain(keep: (row: { n: number }) => boolean): number
}
interface Keyed {
  get(key: string): { n: number } | null
  set(key: string, row: object): void
  entries(): [string, { n: number }][]
}
interface Context {
  key: { k: string }
  emit(row: object): void
  sideOutput(name: string, row: object): void
  timers: { at(time: number): void; cancel(time: number): void }
  state: { total: Value; seen: List; by: Keyed }
}

/** Every member of the context, taken apart as users do. */
const counting = {
  onRow(
    row: { k: string; at: number },
    {
      emit,
      sideOutput,
      timers: { at, cancel },
      state: {
        total: { get, set },
        seen: { add, rows, retain },
        by,
      },
    }: Context,
  ): void {
    const { get: ofKey, set: setKey, entries } = by
    set({ n: (get()?.n ?? 0) + 1 })
    add({ n: row.at })
    retain(({ n }) => n > 1)
    setKey(row.k, { n: (ofKey(row.k)?.n ?? 0) + rows().length + entries().length })
    at(row.at + 10)
    at(row.at + 20)
    cancel(row.at + 20)
    emit({ k: row.k, n: get()?.n ?? -1 })
    sideOutput('side', { k: row.k, n: ofKey(row.k)?.n ?? -1 })
  },
  onTimer(time: number, { emit, key: { k }, state: { total } }: Context): void {
    const { get, clear } = total
    clear()
    emit({ k, n: get() === null ? time : -1 })
  },
}

test('everything in the context of a process function works taken apart, and get gives null where there is nothing', async () => {
  const bed = new OperatorBed(
    aroundOperator(
      { k: 'string', at: 'timestamp' },
      {
        keyBy: 'k',
        process: {
          module: 'user',
          function: 'f',
          output: { k: 'string', n: 'long' },
          sideOutputs: { side: { k: 'string', n: 'long' } },
          state: {
            total: { value: { n: 'long' } },
            seen: { list: { n: 'long' } },
            by: { map: { n: 'long' }, key: { id: 'string' } },
          },
        },
      },
      { modules: { user: { path: './user.ts' } }, eventTime: 'at', sides: ['side'] },
    ),
    'op',
    { modules: { user: { f: counting } } },
  )
  await bed.process([
    { k: 'a', at: 1 },
    { k: 'a', at: 2 },
  ])
  await bed.watermark(100)
  expect(bed.errors).toEqual([])
  expect(bed.out.rows).toEqual([
    { k: 'a', n: 1 },
    { k: 'a', n: 2 },
    { k: 'a', n: 11 },
    { k: 'a', n: 12 },
  ])
  expect(bed.side('side').rows).toEqual([
    { k: 'a', n: 0 },
    { k: 'a', n: 2 },
  ])
})
