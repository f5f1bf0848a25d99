import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { restOf, type BlockPlace } from '../../../../runtime/checkpoint/state-rest.ts'
import type { Field } from '../../../../runtime/model/schema.ts'
import type { SnapshotExtent, StateFile } from '../../../../runtime/model/snapshot.ts'
import { createStateStore, type StateShape, type StateStore } from '../../../../runtime/state/state-store.ts'

const GROUPS = 2
const ALL = { first: 0, endExclusive: GROUPS }
const field = (name: string, type: Field['type']): Field => ({ name, type, nullable: false })
const SCHEMA = { fields: [field('n', 'long'), field('s', 'string')] }
const SHAPE: StateShape = {
  key: [field('k', 'long')],
  tables: { last: { kind: 'value', schema: SCHEMA }, all: { kind: 'list', schema: SCHEMA } },
}
const open = (): StateStore => createStateStore(SHAPE, { maxParallelism: GROUPS, now: () => 0 })

/** Where checkpoints are written, each into one file. */
class Files {
  readonly #bytesOf = new Map<string, Buffer>()

  write(store: StateStore, extent: SnapshotExtent): StateFile[] {
    const frozen = store.freeze(extent)
    const { kept, blocks } = frozen.read()
    const read = Array.from(blocks, ([group, bytes]) => [group, Buffer.from(bytes)] as const)
    const path = `file ${this.#bytesOf.size}`
    this.#bytesOf.set(path, Buffer.concat(read.map(([, bytes]) => bytes)))
    let offset = 0
    const file = {
      path,
      sha256: path,
      sizeBytes: this.#bytesOf.get(path)?.length ?? 0,
      groups: read.map(([group, bytes]) => [group, (offset += bytes.length) - bytes.length, bytes.length] as const),
    }
    frozen.release([file])
    return [...kept, file]
  }

  bytes(path: string, offset: number, length: number): Buffer {
    return this.#bytesOf.get(path)?.subarray(offset, offset + length) ?? Buffer.alloc(0)
  }
}

/** A store that is given one checkpoint after the other, each time what it lacks of it. */
class Follower {
  readonly #files: Files
  readonly #restored = new Map<number, BlockPlace[]>()
  readonly #store = open()
  bytes = 0

  constructor(files: Files) {
    this.#files = files
  }

  /** False when it cannot be gone on from what it has. */
  follow(files: readonly StateFile[]): boolean {
    const rest = restOf(this.#restored, files, ALL)
    if (rest === undefined) return false
    for (const {
      file: { path, sha256 },
      blocks,
    } of rest) {
      for (const [group, offset, length] of blocks) {
        this.#store.restore(group, this.#files.bytes(path, offset, length))
        this.bytes += length
        this.#restored.set(group, [...(this.#restored.get(group) ?? []), { path, sha256, offset, length }])
      }
    }
    return true
  }

  contents(): unknown {
    this.#store.restored()
    return contents(this.#store)
  }
}

function contents(store: StateStore): unknown {
  const rows: string[] = []
  for (let group = 0; group < GROUPS; group++) {
    store.value('last').each(group, (key, row) => {
      rows.push(`${group} ${String(key)} ${String(row['n'])} ${(row['s'] as string).length}`)
    })
    store.list('all').each(group, (key, list) => {
      rows.push(`${group} ${String(key)} ${list.map((row) => String(row['n'])).join()}`)
    })
  }
  return rows.sort()
}

/** So many keys of a hundred bytes, of which every fifth goes again. */
function churn(store: StateStore, rounds: number, keys: number): void {
  for (let n = 0; n < rounds; n++) {
    const key = (n * 7919) % keys
    store.value('last').set(n % GROUPS, key, { n, s: 'x'.repeat(100) })
    if (n % 5 === 0) store.value('last').delete(n % GROUPS, ((n >> 1) * 7919) % keys)
  }
}

describe('checkpoints of extent appended', () => {
  test('go on from each other where garbage would otherwise be won back, so that only what is new is to be restored', () => {
    for (const [extent, goesOn] of [
      ['appended', true],
      ['changes', false],
    ] as const) {
      const [store, files] = [open(), new Files()]
      churn(store, 20_000, 16_000)
      files.write(store, 'changes')
      const follower = new Follower(files)
      expect(follower.follow(files.write(store, extent))).toBe(true)
      const before = follower.bytes
      churn(store, 6_000, 16_000)
      const last = files.write(store, extent)
      expect(follower.follow(last)).toBe(goesOn)
      if (!goesOn) continue
      expect(follower.bytes - before).toBeLessThan(before / 2)
      expect(follower.contents()).toEqual(contents(store))
    }
  })

  test('when a key group is empty for a while, go on all the same', () => {
    const [store, files] = [open(), new Files()]
    const follower = new Follower(files)
    store.value('last').set(0, 1, { n: 1, s: '' })
    expect(follower.follow(files.write(store, 'appended'))).toBe(true)
    store.value('last').delete(0, 1)
    expect(follower.follow(files.write(store, 'appended'))).toBe(true)
    store.value('last').set(0, 2, { n: 2, s: '' })
    expect(follower.follow(files.write(store, 'appended'))).toBe(true)
    expect(follower.contents()).toEqual(['0 2 2 0'])
  })

  test('whatever happens between them, what follows them holds what the last of them does, or is told to begin anew', () => {
    const operation = fc.record({
      what: fc.constantFrom(
        'set',
        'set',
        'delete',
        'append',
        'cut',
        'churn',
        'appended',
        'appended',
        'changes',
        'whole',
      ),
      key: fc.nat(5),
      n: fc.nat(9),
    })
    fc.assert(
      fc.property(fc.array(operation, { minLength: 20, maxLength: 120, size: 'max' }), (operations) => {
        const [store, files] = [open(), new Files()]
        let follower = new Follower(files)
        for (const { what, key, n } of operations) {
          const [group, row] = [key % GROUPS, { n, s: '' }]
          switch (what) {
            case 'set':
              store.value('last').set(group, key, row)
              break
            case 'delete':
              store.value('last').delete(group, key)
              break
            case 'append':
              store.list('all').append(group, key, row)
              break
            case 'cut':
              store.list('all').delete(group, key)
              break
            case 'churn':
              churn(store, 900, 30)
              break
            case 'appended':
            case 'changes':
            case 'whole': {
              const written = files.write(store, what)
              if (follower.follow(written)) break
              follower = new Follower(files)
              expect(follower.follow(written)).toBe(true)
            }
          }
        }
        const last = files.write(store, 'appended')
        if (!follower.follow(last)) {
          follower = new Follower(files)
          follower.follow(last)
        }
        expect(follower.contents()).toEqual(contents(store))
      }),
      { numRuns: 20 },
    )
  })
})
