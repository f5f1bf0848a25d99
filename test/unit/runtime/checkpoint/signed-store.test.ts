import { describe, expect, test } from 'vitest'
import { JobLog } from '../../../../runtime/checkpoint/job-log.ts'
import { seal } from '../../../../runtime/checkpoint/sealed-file.ts'
import { signedStore, type Signing } from '../../../../runtime/checkpoint/signed-store.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'

const JOB = 'job-uid'
const KEY = 'the key of a platform team, which is long'
const OTHER_KEY = 'the key of somebody else, which is as long'
const MANIFEST = 'checkpoints/1-7/manifest.json'
const STATE = 'checkpoints/1-7/count.count-0.state'
const TARGET = { revision: 'r', spec: { graph: [] }, desiredState: 'running' } as const

const signing = (unsigned: Signing['unsigned'], ...keys: Signing['keys']): Signing => ({ keys, unsigned })
const refusing = signing('refuse', KEY)

/** A store with a claim in the log and a manifest, both signed with the key. */
async function written(key = KEY): Promise<MemoryStore> {
  const store = new MemoryStore()
  const signed = signedStore(store, signing('refuse', key))
  await (await JobLog.open(signed, JOB)).claim(TARGET)
  await signed.put(MANIFEST, seal({ path: MANIFEST, job: JOB }, '{"version":2}'))
  return store
}

async function replaced(store: MemoryStore, path: string, change: (text: string) => string): Promise<void> {
  const text = Buffer.from((await store.get(path)) ?? []).toString('utf8')
  await store.put(path, Buffer.from(change(text)))
}

describe('a store of signed checkpoints', () => {
  test('gives back what a coordinator wrote, log entries and manifests', async () => {
    const store = await written()
    const signed = signedStore(store, refusing)
    expect((await JobLog.open(signed, JOB)).view()).toMatchObject({ attempt: 1, target: TARGET })
    expect(await signed.get(MANIFEST)).toEqual(seal({ path: MANIFEST, job: JOB }, '{"version":2}'))
  })

  test('is read without a key by who only checks seals, such as an older image', async () => {
    const view = await JobLog.read(await written())
    expect(view).toMatchObject({ attempt: 1, target: TARGET })
  })

  test('leaves state files as they are: the manifest has their checksums', async () => {
    const store = new MemoryStore()
    const signed = signedStore(store, refusing)
    await signed.put(STATE, Buffer.from('state'))
    expect(await store.get(STATE)).toEqual(Uint8Array.from(Buffer.from('state')))
    expect(await signed.get(STATE)).toEqual(Uint8Array.from(Buffer.from('state')))
  })

  test.each([
    ['a log entry', 'log/000000000001', '"revision":"r"', '"revision":"s"'],
    ['a manifest', MANIFEST, '"version":2', '"version":3'],
  ])('refuses %s that was changed and sealed again by somebody without the key', async (_, path, from, to) => {
    const store = await written()
    const signature = Buffer.from((await store.get(path)) ?? [])
      .toString('utf8')
      .split('\n')[0]
      ?.split(' ')[4]
    await replaced(store, path, (text) => {
      const body = text.slice(text.indexOf('\n') + 1).replace(from, to)
      const sealed = Buffer.from(seal({ path, job: JOB }, body)).toString('utf8')
      return sealed.replace('\n', ` ${String(signature)}\n`)
    })
    await expect(signedStore(store, refusing).get(path)).rejects.toMatchObject({ code: 'SIGNATURE_WRONG' })
  })

  test('refuses what another key signed', async () => {
    const store = await written(OTHER_KEY)
    await expect(JobLog.open(signedStore(store, refusing), JOB)).rejects.toMatchObject({ code: 'SIGNATURE_WRONG' })
  })

  test('refuses a signed file in the place of another, and of another job', async () => {
    const store = await written()
    await store.put('log/000000000002', (await store.get('log/000000000001')) ?? Buffer.alloc(0))
    const signed = signedStore(store, refusing)
    await expect(JobLog.open(signed, JOB)).rejects.toMatchObject({ code: 'FILE_MISPLACED' })
    await expect(JobLog.open(signed, 'other-uid')).rejects.toMatchObject({ code: 'FILE_MISPLACED' })
  })

  test.each([
    [
      'every bit flipped in turn',
      (bytes: Buffer) => Array.from({ length: bytes.length * 8 }, (_, at) => flip(bytes, at)),
    ],
    ['every cut', (bytes: Buffer) => Array.from({ length: bytes.length }, (_, at) => bytes.subarray(0, at))],
  ])('refuses a log entry with %s', async (_, forge) => {
    const store = await written()
    const path = 'log/000000000001'
    for (const forged of forge(Buffer.from((await store.get(path)) ?? []))) {
      await store.put(path, forged)
      await expect(JobLog.open(signedStore(store, refusing), JOB)).rejects.toMatchObject({
        code: expect.stringMatching(/^(SIGNATURE_|FILE_|SEAL_)/) as unknown,
      })
    }
  })

  test('refuses a file without signature, and takes it where unsigned state is accepted', async () => {
    const store = new MemoryStore()
    await (await JobLog.open(store, JOB)).claim(TARGET)
    await expect(JobLog.open(signedStore(store, refusing), JOB)).rejects.toMatchObject({ code: 'SIGNATURE_MISSING' })
    const log = await JobLog.open(signedStore(store, signing('accept', KEY)), JOB)
    expect(log.view()).toMatchObject({ attempt: 1 })
  })

  test('takes what an earlier key signed, and signs with the present one', async () => {
    const store = await written(OTHER_KEY)
    const log = await JobLog.open(signedStore(store, signing('refuse', KEY, OTHER_KEY)), JOB)
    await log.claim(TARGET)
    const signed = signedStore(store, refusing)
    await expect(signed.get('log/000000000001')).rejects.toMatchObject({ code: 'SIGNATURE_WRONG' })
    expect(await signed.get('log/000000000002')).toBeDefined()
  })

  test('recognises an append of its own that had landed', async () => {
    const store = await written()
    const signed = signedStore(store, refusing)
    const log = await JobLog.open(signed, JOB)
    const twin = await JobLog.open(signed, JOB)
    await log.append(1, { kind: 'finished', attempt: 1 })
    await twin.append(1, { kind: 'finished', attempt: 1 })
    expect(twin.view().ended).toBe('finished')
    expect(await store.list('log/')).toHaveLength(2)
  })
})

function flip(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return flipped
}
