import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeManifest, withoutOutput, type Manifest } from '../../../../runtime/checkpoint/manifest.ts'
import { PendingCheckpoint } from '../../../../runtime/checkpoint/pending-checkpoint.ts'
import { assignRestore, droppedState } from '../../../../runtime/checkpoint/restore-assignment.ts'
import { readBlocks, writeStateFiles } from '../../../../runtime/checkpoint/state-file.ts'
import { restOf } from '../../../../runtime/checkpoint/state-rest.ts'
import type { GroupState, StateFile, SubtaskSnapshot } from '../../../../runtime/model/snapshot.ts'
import type { ExecutionPlan } from '../../../../runtime/plan/execution-plan.ts'
import { keyGroupsOfSlot, type KeyGroupRange } from '../../../../runtime/plan/key-groups.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'

const GROUPS = 32

function plan(parallelism: number, operator = 'count'): ExecutionPlan {
  return {
    chains: [
      {
        id: operator,
        parallelism,
        operators: [{ id: operator, from: ['in'], schema: { fields: [] }, verb: { kind: 'keyBy' } }],
      },
    ],
    exchanges: [],
    maxParallelism: GROUPS,
  }
}

function manifest(subtasks: Record<string, SubtaskSnapshot>): Manifest {
  return {
    job: 'job',
    attempt: 1,
    id: 1,
    kind: 'checkpoint',
    completedAt: 0,
    durationMs: 0,
    sizeBytes: 0,
    maxParallelism: GROUPS,
    spec: {},
    revision: 'r',
    subtasks,
  }
}

/** Blocks in files of at most `fileBytes`. */
function write(
  store: MemoryStore,
  name: string,
  blocks: readonly GroupState[],
  fileBytes: number,
): Promise<StateFile[]> {
  const bytes = blocks.reduce((sum, [, block]) => sum + block.length, 0)
  return writeStateFiles(
    { store, pathOf: (index) => `${name}.${index}`, turn: () => Promise.resolve(), fileBytes },
    blocks,
    bytes,
  )
}

async function read(store: MemoryStore, files: readonly StateFile[], range: KeyGroupRange): Promise<GroupState[]> {
  const blocks: GroupState[] = []
  for await (const {
    row: [group],
    bytes,
  } of readBlocks(store, restOf(new Map(), files, range) ?? [], () => Promise.resolve()))
    blocks.push([group, bytes])
  return blocks
}

async function snapshots(
  store: MemoryStore,
  parallelism: number,
  fileBytes = 1000,
): Promise<Record<string, SubtaskSnapshot>> {
  const subtasks: Record<string, SubtaskSnapshot> = {}
  for (let slot = 0; slot < parallelism; slot++) {
    const { first, endExclusive } = keyGroupsOfSlot(slot, GROUPS, parallelism)
    const groups = Array.from(
      { length: endExclusive - first },
      (_, index) => [first + index, Buffer.from(`group ${first + index}`)] as const,
    )
    subtasks[`count-${slot}`] = {
      splits: {},
      state: { count: await write(store, `state-${slot}`, groups, fileBytes) },
      committables: { count: [`pending of ${slot}`] },
      sinkNotes: { count: [`noted by ${slot}`] },
    }
  }
  return subtasks
}

describe('restore', () => {
  test('from any parallelism to any other every key group lands once, in the slot that owns it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 200 }),
        async (before, after, fileBytes) => {
          const store = new MemoryStore()
          const restores = assignRestore(plan(after), manifest(await snapshots(store, before, fileBytes)), {})
          const landed: string[] = []
          for (let slot = 0; slot < after; slot++) {
            const range = keyGroupsOfSlot(slot, GROUPS, after)
            for (const [group, bytes] of await read(store, restores[`count-${slot}`]?.state['count'] ?? [], range)) {
              expect(group >= range.first && group < range.endExclusive).toBe(true)
              expect(Buffer.from(bytes).toString()).toBe(`group ${group}`)
              landed.push(String(group))
            }
          }
          expect(landed.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: GROUPS }, (_, group) => group))
          const committables = Object.values(restores).flatMap((restore) => restore.committables['count'] ?? [])
          expect(committables.toSorted()).toEqual(Array.from({ length: before }, (_, slot) => `pending of ${slot}`))
          const notes = Object.values(restores).flatMap((restore) => restore.sinkNotes['count'] ?? [])
          expect(notes.toSorted()).toEqual(Array.from({ length: before }, (_, slot) => `noted by ${slot}`))
        },
      ),
    )
  })

  test('every flipped bit of a state file is refused', async () => {
    const store = new MemoryStore()
    const [file] = (await write(
      store,
      'state',
      [
        [0, Buffer.from('hello')],
        [1, Buffer.from('world')],
      ],
      1000,
    )) as [StateFile]
    const bytes = store.objects.get('state.0') as Uint8Array
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Uint8Array.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      store.objects.set('state.0', damaged)
      await expect(read(store, [file], { first: 0, endExclusive: 2 })).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
    }
  })

  test('files stay below their limit, unless one block is larger, and what is in them is what was written', async () => {
    const block = fc.tuple(fc.nat({ max: 3 }), fc.uint8Array({ minLength: 1, maxLength: 40 }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(block, { minLength: 1 }),
        fc.integer({ min: 1, max: 60 }),
        async (blocks, fileBytes) => {
          const store = new MemoryStore()
          const files = await write(store, 'state', blocks, fileBytes)
          for (const { sizeBytes, groups } of files) expect(sizeBytes <= fileBytes || groups.length === 1).toBe(true)
          expect(
            (await read(store, files, { first: 0, endExclusive: 4 })).map(([group, bytes]) => [
              group,
              Buffer.from(bytes),
            ]),
          ).toEqual(blocks.map(([group, bytes]) => [group, Buffer.from(bytes)]))
        },
      ),
    )
  })

  test('a block of several megabytes lets the loop turn while it is copied', async () => {
    let turns = 0
    const writing = {
      store: new MemoryStore(),
      pathOf: String,
      turn: () => {
        turns += 1
        return Promise.resolve()
      },
    }
    await writeStateFiles(writing, [[0, new Uint8Array(5 << 20)]], 5 << 20)
    expect(turns).toBe(5)
  })

  test('a manifest of version 1 is read with its one file per operator', () => {
    const file = { path: 'checkpoints/1-1/x.state', sizeBytes: 1, sha256: '0'.repeat(64), groups: [[0, 0, 1]] }
    const first = {
      ...manifest({}),
      version: 1,
      subtasks: { 'count-0': { splits: {}, state: { count: file }, committables: {} } },
    }
    expect(decodeManifest({ path: 'm' }, Buffer.from(JSON.stringify(first)))).toEqual(
      manifest({ 'count-0': { splits: {}, state: { count: [file as unknown as StateFile] }, committables: {} } }),
    )
  })

  test('an operator that held state and is gone from the plan is named', async () => {
    const held = manifest(await snapshots(new MemoryStore(), 1))
    expect(droppedState(plan(1), held)).toEqual([])
    expect(droppedState(plan(1, 'other'), held)).toEqual(['count'])
  })

  test('a sink that has notes and is gone from the plan is named', () => {
    const subtask = { splits: {}, state: {}, committables: {}, sinkNotes: { count: ['rows wait'] } }
    expect(droppedState(plan(1, 'other'), manifest({ 'count-0': subtask }))).toEqual(['count'])
  })

  test('when output is known to be committed, the notes of sinks stay', () => {
    const subtask = { splits: {}, state: {}, committables: { out: ['done'] }, sinkNotes: { out: ['rows wait'] } }
    expect(withoutOutput(manifest({ 'out-0': subtask })).subtasks['out-0']).toEqual({ ...subtask, committables: {} })
  })

  test('when a checkpoint was written before sinks had notes, there are none', () => {
    const subtask = { splits: {}, state: {}, committables: {} }
    expect(assignRestore(plan(1), manifest({ 'count-0': subtask }), {})).toMatchObject({ 'count-0': { sinkNotes: {} } })
  })
})

describe('a pending checkpoint', () => {
  const snapshot: SubtaskSnapshot = { splits: {}, state: {}, committables: {} }

  test('it completes with the last missing snapshot, and only once', () => {
    const pending = new PendingCheckpoint(1, 1, 0, ['a', 'b'])
    expect(pending.acknowledge('a', snapshot)).toBe('accepted')
    expect(pending.acknowledge('a', snapshot)).toBe('duplicate')
    expect(pending.acknowledge('c', snapshot)).toBe('unknown')
    expect(pending.missing).toEqual(['b'])
    expect(pending.acknowledge('b', snapshot)).toBe('completes')
  })
})
