import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Manifest } from '../../../../runtime/checkpoint/manifest.ts'
import { PendingCheckpoint } from '../../../../runtime/checkpoint/pending-checkpoint.ts'
import { assignRestore, droppedState } from '../../../../runtime/checkpoint/restore-assignment.ts'
import { readStateFile, writeStateFile } from '../../../../runtime/checkpoint/state-file.ts'
import type { SubtaskSnapshot } from '../../../../runtime/model/snapshot.ts'
import type { ExecutionPlan } from '../../../../runtime/plan/execution-plan.ts'
import { keyGroupsOfSlot } from '../../../../runtime/plan/key-groups.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'

const GROUPS = 32

function plan(parallelism: number, operator = 'count'): ExecutionPlan {
  return {
    chains: [{ id: operator, parallelism, operators: [{ id: operator, from: ['in'], schema: { fields: [] }, verb: { kind: 'keyBy' } }] }],
    exchanges: [], maxParallelism: GROUPS,
  }
}

function manifest(subtasks: Record<string, SubtaskSnapshot>): Manifest {
  return { version: 1, job: 'job', attempt: 1, id: 1, kind: 'checkpoint', completedAt: 0, durationMs: 0, sizeBytes: 0, maxParallelism: GROUPS, spec: {}, revision: 'r', subtasks }
}

async function snapshots(store: MemoryStore, parallelism: number): Promise<Record<string, SubtaskSnapshot>> {
  const subtasks: Record<string, SubtaskSnapshot> = {}
  for (let slot = 0; slot < parallelism; slot++) {
    const { first, endExclusive } = keyGroupsOfSlot(slot, GROUPS, parallelism)
    const groups = Array.from({ length: endExclusive - first }, (_, index) => [first + index, Buffer.from(`group ${first + index}`)] as const)
    subtasks[`count-${slot}`] = {
      splits: {}, state: { count: await writeStateFile(store, `state-${slot}`, groups) }, committables: { count: [`pending of ${slot}`] },
    }
  }
  return subtasks
}

describe('restore', () => {
  test('from any parallelism to any other every key group lands once, in the slot that owns it', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), async (before, after) => {
      const store = new MemoryStore()
      const restores = assignRestore(plan(after), manifest(await snapshots(store, before)), {})
      const landed: string[] = []
      for (let slot = 0; slot < after; slot++) {
        const range = keyGroupsOfSlot(slot, GROUPS, after)
        for (const file of restores[`count-${slot}`]?.state['count'] ?? []) {
          for (const [group, bytes] of await readStateFile(store, file, range)) {
            expect(group >= range.first && group < range.endExclusive).toBe(true)
            expect(Buffer.from(bytes).toString()).toBe(`group ${group}`)
            landed.push(String(group))
          }
        }
      }
      expect(landed.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: GROUPS }, (_, group) => group))
      const committables = Object.values(restores).flatMap((restore) => restore.committables['count'] ?? [])
      expect(committables.toSorted()).toEqual(Array.from({ length: before }, (_, slot) => `pending of ${slot}`))
    }))
  })

  test('every flipped bit of a state file is refused', async () => {
    const store = new MemoryStore()
    const file = await writeStateFile(store, 'state', [[0, Buffer.from('hello')], [1, Buffer.from('world')]])
    const bytes = store.objects.get('state') as Uint8Array
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Uint8Array.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      store.objects.set('state', damaged)
      await expect(readStateFile(store, file, { first: 0, endExclusive: 2 })).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
    }
  })

  test('an operator that held state and is gone from the plan is named', async () => {
    const held = manifest(await snapshots(new MemoryStore(), 1))
    expect(droppedState(plan(1), held)).toEqual([])
    expect(droppedState(plan(1, 'other'), held)).toEqual(['count'])
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
