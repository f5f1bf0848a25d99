import { describe, expect, test } from 'vitest'
import { checkedStateFile } from '../../../../runtime/checkpoint/state-file.ts'
import { SnapshotUpload } from '../../../../runtime/checkpoint/snapshot-upload.ts'
import { copiedState } from '../../../../runtime/state/copied-state.ts'
import type { FrozenState, StateFile } from '../../../../runtime/model/snapshot.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'

/** A state of one block that notes what is done with it. */
function stateOf(name: string, bytes: number, notes: string[]): FrozenState {
  return {
    read: () => {
      notes.push(`${name} read`)
      return { kept: [], bytes, blocks: [[0, new Uint8Array(bytes)]] }
    },
    release: (files) => {
      notes.push(`${name} ${files === undefined ? 'given up' : 'written'}`)
    },
  }
}

class FailingStore extends MemoryStore {
  failing = false
  override put(path: string, bytes: Uint8Array): Promise<void> {
    return this.failing ? Promise.reject(new Error('no room')) : super.put(path, bytes)
  }
}

function open(inlineBytes = 0): { store: FailingStore; uploads: SnapshotUpload } {
  const store = new FailingStore()
  return {
    store,
    uploads: new SnapshotUpload({ subtask: 'op-0', attempt: 3, store, clock: new ManualClock(0), inlineBytes }),
  }
}

describe('the upload of snapshots', () => {
  test('reads a state only when the checkpoint before has been written and released', async () => {
    const { uploads } = open()
    const notes: string[] = []
    await Promise.all([
      uploads.upload(1, [['op', stateOf('first', 5 << 20, notes)]]),
      uploads.upload(2, [['op', stateOf('second', 8, notes)]]),
    ])
    expect(notes).toEqual(['first read', 'first written', 'second read', 'second written'])
  })

  test('names what earlier checkpoints wrote before what it writes, and no operator without any', async () => {
    const { store, uploads } = open()
    const kept: StateFile = { path: 'checkpoints/3-1/op.op-0.state', sizeBytes: 1, sha256: '', groups: [[0, 0, 1]] }
    const frozen: FrozenState = {
      read: () => ({ kept: [kept], bytes: 1, blocks: [[0, new Uint8Array(1)]] }),
      release: () => undefined,
    }
    const files = await uploads.upload(2, [
      ['op', frozen],
      ['none', copiedState([])],
    ])
    expect(Object.keys(files)).toEqual(['op'])
    expect(files['op']?.map(({ path }) => path)).toEqual([kept.path, 'checkpoints/3-2/op.op-0.state'])
    expect([...store.objects.keys()]).toEqual(['checkpoints/3-2/op.op-0.state'])
  })

  test('when the store fails, every state is released as not written, and the next upload goes on', async () => {
    const { store, uploads } = open()
    const notes: string[] = []
    store.failing = true
    await expect(
      uploads.upload(1, [
        ['a', stateOf('a', 8, notes)],
        ['b', stateOf('b', 8, notes)],
      ]),
    ).rejects.toThrow('no room')
    expect(notes).toEqual(['a read', 'a given up', 'b given up'])
    store.failing = false
    await uploads.upload(2, [['a', stateOf('a', 8, notes)]])
    expect(notes.at(-1)).toBe('a written')
  })

  test('when a checkpoint is given up, what is under way goes on and what waits is released', async () => {
    const { uploads } = open()
    const notes: string[] = []
    const first = uploads.upload(1, [['op', stateOf('first', 3 << 20, notes)]])
    const second = uploads.upload(2, [['op', stateOf('second', 8, notes)]])
    await Promise.resolve()
    await Promise.resolve()
    uploads.abort(2)
    await first
    await expect(second).rejects.toMatchObject({ code: 'CHECKPOINT_ABORTED' })
    expect(notes).toEqual(['first read', 'first written', 'second given up'])
  })

  test('when the subtask stops, what is under way ends at its next turn', async () => {
    const { uploads } = open()
    const notes: string[] = []
    const upload = uploads.upload(1, [['op', stateOf('first', 3 << 20, notes)]])
    uploads.stop()
    await expect(upload).rejects.toMatchObject({ code: 'SUBTASK_STOPPED' })
    expect(notes).toEqual(['first read', 'first given up'])
  })

  test('keeps state inline while that of earlier checkpoints and its own fit, and writes files beyond', async () => {
    const { store, uploads } = open(100)
    const state = (kept: readonly StateFile[], bytes: number): FrozenState => ({
      read: () => ({ kept, bytes, blocks: [[0, new Uint8Array(bytes).fill(7)]] }),
      release: () => undefined,
    })
    const [first] = (await uploads.upload(1, [['op', state([], 60)]]))['op'] ?? []
    if (first === undefined) throw new Error('nothing was written')
    expect([...store.objects.keys()]).toEqual([])
    expect(Buffer.from(first.inline ?? '', 'base64')).toEqual(Buffer.alloc(60, 7))
    expect(Buffer.from(await checkedStateFile(store, first))).toEqual(Buffer.alloc(60, 7))
    const more = await uploads.upload(2, [
      ['op', state([first], 41)],
      ['small', state([], 40)],
    ])
    expect(more['op']?.map(({ inline }) => inline !== undefined)).toEqual([true, false])
    expect(more['small']?.map(({ inline }) => inline !== undefined)).toEqual([true])
    expect([...store.objects.keys()]).toEqual(['checkpoints/3-2/op.op-0.state'])
  })

  test('inline state that was changed is refused as a changed file is', async () => {
    const { store, uploads } = open(100)
    const [file] = (await uploads.upload(1, [['op', copiedState([[0, new Uint8Array(9)]])]]))['op'] ?? []
    if (file === undefined) throw new Error('nothing was written')
    const changed = { ...file, inline: Buffer.alloc(9, 1).toString('base64') }
    await expect(checkedStateFile(store, changed)).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
    await expect(checkedStateFile(store, { ...file, inline: '' })).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
  })
})
