import { describe, expect, test } from 'vitest'
import { decodeManifest, encodeManifest } from '../../../../runtime/checkpoint/manifest.ts'
import { importSavedState, openSavedState } from '../../../../runtime/checkpoint/saved-state.ts'
import { checkedStateFile, writeStateFiles } from '../../../../runtime/checkpoint/state-file.ts'
import type { GroupState, StateFile } from '../../../../runtime/model/snapshot.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'

const block = (group: number, text: string): GroupState => [group, Buffer.from(text)]
const write = (
  store: MemoryStore,
  path: string,
  blocks: readonly GroupState[],
  inlineBytes = 0,
): Promise<StateFile[]> =>
  writeStateFiles({ store, pathOf: () => path, turn: () => Promise.resolve(), inlineBytes }, blocks, 100)

describe('a checkpoint of another job', () => {
  test.each([
    ['files of several checkpoints', 0],
    ['a file and the manifest', 100],
  ])(
    'whose state lies in %s is copied whole, its blocks in their order, and stands on its own',
    async (_, inlineBytes) => {
      const from = new MemoryStore()
      const [first] = (await write(from, 'checkpoints/2-1/op.op-0.state', [
        block(0, 'old'),
        block(0, 'one'),
        block(3, 'three'),
      ])) as [StateFile]
      const second = await write(from, 'checkpoints/2-2/op.op-0.state', [block(0, 'two')], inlineBytes)
      // the first block of the first file does not hold any more
      const files = [{ ...first, groups: first.groups.slice(1) }, ...second]
      await from.put(
        'checkpoints/2-2/manifest.json',
        encodeManifest(
          {
            job: 'other',
            attempt: 2,
            id: 2,
            kind: 'checkpoint',
            completedAt: 0,
            durationMs: 0,
            sizeBytes: 0,
            maxParallelism: 4,
            revision: '',
            spec: {},
            subtasks: { 'op-0': { splits: {}, state: { op: files }, committables: {} } },
          },
          { path: 'checkpoints/2-2/manifest.json', job: 'other-uid' },
        ),
      )
      const own = new MemoryStore()
      const report = await importSavedState(await openSavedState(() => from, '/jobs/other/checkpoints/2-2'), own, {
        job: 'mine',
        jobUid: 'my-uid',
      })
      from.objects.clear()
      const manifest = decodeManifest(
        { path: report.path, job: 'my-uid' },
        own.objects.get(report.path) ?? new Uint8Array(),
      )
      const copies = manifest.subtasks['op-0']?.state['op'] ?? []
      expect(copies.every(({ path }) => path.startsWith('checkpoints/0-2/'))).toBe(true)
      const blocks = await Promise.all(
        copies.map(async (file) => {
          const bytes = await checkedStateFile(own, file)
          return file.groups.map(([group, offset, length]) => [
            group,
            Buffer.from(bytes.subarray(offset, offset + length)).toString(),
          ])
        }),
      )
      expect(blocks.flat()).toEqual([
        [0, 'one'],
        [3, 'three'],
        [0, 'two'],
      ])
    },
  )
})
