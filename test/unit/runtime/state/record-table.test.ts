import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RecordArena } from '../../../../runtime/memory/arena/record-arena.ts'
import { RecordTable } from '../../../../runtime/state/record-table.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import type { Row, Schema } from '../../../../runtime/model/schema.ts'
import { VirtualScratch } from '../../../../runtime/ports/virtual/scratch.ts'

const SCHEMA: Schema = {
  fields: [
    { name: 'n', type: 'long', nullable: false },
    { name: 's', type: 'string', nullable: false },
  ],
}
const GROUPS = 3

/** The records, and how many bytes may lie in memory. */
const CASES = [
  { kind: 'value', limitBytes: Infinity },
  { kind: 'list', limitBytes: Infinity },
  { kind: 'value', limitBytes: 0 },
  { kind: 'list', limitBytes: 0 },
  { kind: 'value', limitBytes: 4096 },
  { kind: 'list', limitBytes: 4096 },
] as const

function tableOf(kind: 'value' | 'list', limitBytes = Infinity): { arena: RecordArena; table: RecordTable } {
  const scratch = new VirtualScratch()
  const arena =
    limitBytes === Infinity ? new RecordArena() : new RecordArena({ limitBytes, open: () => scratch.open() })
  const spec = {
    key: [{ name: 'k', type: 'long', nullable: false }] as const,
    schema: SCHEMA,
    rowClass: compileRowClass(SCHEMA),
    timed: false,
    sequenced: false,
    chained: kind === 'list',
  }
  return { arena, table: new RecordTable(spec, arena, GROUPS) }
}

const row = (n: number, length: number): Row => ({ n, s: 'x'.repeat(length) })
const numbersOf = (table: RecordTable, group: number, key: number): unknown[] =>
  table.chain(table.find(group, key)).map((a) => table.code.row(a)['n'])

const bytesOf = (arena: RecordArena, table: RecordTable, group: number): Uint8Array[] =>
  table.segments(group).map((segment) => arena.bytesOf(segment, 0, arena.end[segment] ?? 0))

const operation = fc.record({
  what: fc.constantFrom('write', 'write', 'write', 'write', 'read', 'read', 'remove', 'retain', 'compact', 'restore'),
  group: fc.nat(GROUPS - 1),
  key: fc.nat(5),
  length: fc.nat(200),
  pick: fc.nat(1000),
})

describe('a record table', () => {
  test.each(CASES)(
    'of $kind records with $limitBytes bytes in memory keeps what was written whatever segment is compacted and whenever it is restored',
    ({ kind, limitBytes }) => {
      fc.assert(
        fc.property(fc.array(operation, { minLength: 20, maxLength: 200, size: 'max' }), (operations) => {
          let { arena, table } = tableOf(kind, limitBytes)
          const plain = new Map<string, number[]>()
          operations.forEach(({ what, group, key, length, pick }, n) => {
            const name = `${group} ${key}`
            if (what === 'write' && kind === 'value') {
              table.code.put(table.groupAt(group), key, undefined, row(n, length), 0, 0)
              plain.set(name, [n])
            } else if (what === 'write') {
              table.code.append(table.groupAt(group), key, undefined, row(n, length), 0, 0)
              table.rows++
              plain.set(name, [...(plain.get(name) ?? []), n])
            } else if (what === 'remove') {
              table.remove(group, key)
              plain.delete(name)
            } else if (what === 'read') {
              table.settle()
              const read = numbersOf(table, group, key)
              table.gather(group, key)
              expect(read).toEqual(plain.get(name) ?? [])
            } else if (what === 'retain') {
              table.retain(group, key, (a) => (table.code.row(a)['n'] as number) % 3 !== pick % 3)
              const left = (plain.get(name) ?? []).filter((one) => one % 3 !== pick % 3)
              if (left.length === 0) plain.delete(name)
              else plain.set(name, left)
            } else if (what === 'compact') {
              const segs = table.groups[group]?.segs ?? []
              if (segs.length > 0) arena.compact(segs[pick % segs.length] ?? 0)
            } else {
              const next = tableOf(kind, limitBytes)
              for (let g = 0; g < GROUPS; g++) next.table.restore(g, bytesOf(arena, table, g))
              arena = next.arena
              table = next.table
            }
          })
          for (let group = 0; group < GROUPS; group++)
            for (let key = 0; key < 6; key++)
              expect(numbersOf(table, group, key)).toEqual(plain.get(`${group} ${key}`) ?? [])
          expect(table.size).toBe([...plain.values()].reduce((sum, list) => sum + list.length, 0))
        }),
        { numRuns: 60 },
      )
    },
  )

  test.each(CASES)(
    'of $kind records with $limitBytes bytes in memory frozen at any point keeps every byte of then until it is thawed, whatever is done meanwhile',
    ({ kind, limitBytes }) => {
      fc.assert(
        fc.property(
          fc.array(operation, { minLength: 20, maxLength: 200, size: 'max' }),
          fc.nat(150),
          fc.nat(20),
          (operations, at, warm) => {
            const { arena, table } = tableOf(kind, limitBytes)
            const act = ({ what, group, key, length, pick }: (typeof operations)[number], n: number): void => {
              if (what === 'write' && kind === 'value')
                table.code.put(table.groupAt(group), key, undefined, row(n, length), 0, 0)
              else if (what === 'write') {
                table.code.append(table.groupAt(group), key, undefined, row(n, length), 0, 0)
                table.rows++
              } else if (what === 'read') {
                table.chain(table.find(group, key))
                table.gather(group, key)
              } else if (what === 'remove') table.remove(group, key)
              else if (what === 'retain')
                table.retain(group, key, (a) => (table.code.row(a)['n'] as number) % 3 !== pick % 3)
              else if (what === 'compact')
                arena.compact(table.groups[group]?.segs[pick % (table.groups[group]?.segs.length ?? 1)] ?? 0)
            }
            operations.slice(0, warm).forEach(act)
            // an earlier freeze that ends in the middle
            const other = arena.freeze()
            operations.slice(warm, warm + at).forEach(act)
            const freeze = arena.freeze()
            const frozen = Array.from({ length: GROUPS }, (_, group) =>
              table.segments(group).map((segment) => ({ segment, end: arena.end[segment] ?? 0 })),
            )
            const copy = Array.from({ length: GROUPS }, (_, group) =>
              bytesOf(arena, table, group).map((bytes) => Buffer.from(bytes)),
            )
            operations.slice(warm + at).forEach(act)
            arena.thaw(other)
            operations.forEach(act)
            const kept = frozen.map((segments) => segments.map(({ segment, end }) => arena.bytesOf(segment, 0, end)))

            expect(kept.map((parts) => parts.map((bytes) => Buffer.from(bytes)))).toEqual(copy)
            arena.thaw(freeze)
          },
        ),
        { numRuns: 60 },
      )
    },
  )

  test('gives back the memory that a freeze held, once it is thawed', () => {
    const { arena, table } = tableOf('value')
    const group = table.groupAt(0)
    const taken: number[] = []
    for (let round = 0; round < 20; round++) {
      const freeze = arena.freeze()
      for (let n = 0; n < 5000; n++) table.code.put(group, n, undefined, row(n, 100), 0, 0)
      arena.thaw(freeze)
      taken.push(arena.buffer.length)
    }
    expect(taken.at(-1)).toBeLessThan((taken[5] ?? 0) * 1.5)
  })

  test('keeps its memory bounded while the same keys are overwritten by rows of changing size for long', () => {
    const { arena, table } = tableOf('value')
    const group = table.groupAt(0)
    let live = 0
    for (let n = 0; n < 150_000; n++) table.code.put(group, n % 2000, undefined, row(n, (n * 7919) % 200), 0, 0)
    for (let key = 0; key < 2000; key++) {
      const kept = table.code.row(table.find(0, key))
      expect((kept['n'] as number) % 2000).toBe(key)
      live += 40 + (kept['s'] as string).length
    }
    expect(arena.takenBytes).toBeLessThan(live * 2 + (1 << 20))
  })

  test('keeps its memory bounded while lists grow and are cut', () => {
    const { arena, table } = tableOf('list')
    const group = table.groupAt(0)
    for (let n = 0; n < 30_000; n++) {
      table.code.append(group, n % 500, undefined, row(n, 100), 0, 0)
      table.rows++
      if (n > 5000) table.retain(0, n % 500, (a) => (table.code.row(a)['n'] as number) > n - 5000)
    }
    expect(table.size).toBe(5000)
    expect(arena.takenBytes).toBeLessThan(3 << 20)
  })

  test('takes little when there is little', () => {
    const arena = new RecordArena()
    const spec = {
      key: [{ name: 'k', type: 'long', nullable: false }] as const,
      schema: SCHEMA,
      rowClass: compileRowClass(SCHEMA),
      timed: false,
      sequenced: false,
      chained: false,
    }
    for (let n = 0; n < 10; n++) {
      const table = new RecordTable(spec, arena, 128)
      for (let group = 0; group < 128; group++) table.code.put(table.groupAt(group), 1, undefined, row(1, 10), 0, 0)
    }
    expect(arena.takenBytes).toBeLessThan(1 << 20)
  })
})
