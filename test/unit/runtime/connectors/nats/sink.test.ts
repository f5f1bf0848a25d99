import fc from 'fast-check'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { natsConnector } from '../../../../../runtime/connectors/nats/connector.ts'
import { declaration, sinkOptions } from '../../../../../runtime/connectors/nats/declaration.ts'
import { decodeStaged, encodeStaged } from '../../../../../runtime/connectors/nats/staged-file.ts'
import { VirtualNats, type VirtualStream } from '../../../../../runtime/connectors/nats/virtual/system.ts'
import type { SinkConnector, SinkContext, SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../../../../runtime/model/schema.ts'
import type { Committable } from '../../../../../runtime/model/snapshot.ts'
import { portsWithBuckets } from '../../../../harness/bucket-folder.ts'
import { expectExactlyOnceSink } from '../../../../harness/connector-conformance.ts'
import { jumpingClock } from '../../../../harness/kafka/jumping-clock.ts'

const SCHEMA: Schema = {
  fields: [
    { name: 'n', type: 'long', nullable: false },
    { name: 'k', type: 'string', nullable: true },
  ],
}
const EFFECTIVELY_ONCE = { delivery: 'effectivelyOnce', files: 'waiting' }
const WINDOW_MS = 120_000

let home = ''
/** How far the clocks of servers and job are ahead of the one that jumps. */
let away = 0
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'millrace-nats-sink-'))
  away = 0
})
afterEach(async () => {
  await rm(home, { recursive: true })
})

function bed(): { nats: VirtualNats; stream: VirtualStream; clock: SinkContext['ports']['clock'] } {
  const nats = new VirtualNats()
  const jumping = jumpingClock()
  const clock = { ...jumping, now: () => jumping.now() + away }
  nats.now = clock.now
  const stream = nats.createStream('S', 's.>')
  stream.duplicateWindowMs = WINDOW_MS
  return { nats, stream, clock }
}
type Bed = ReturnType<typeof bed>

function contextOf({ clock }: Bed, schema = SCHEMA): Omit<SinkContext, 'slot' | 'attempt'> {
  return {
    jobUid: 'job-1',
    predecessors: [],
    operatorId: 'out',
    schema,
    ports: { ...portsWithBuckets(home), clock },
    baseDir: join(home, 'bucket'),
    stopping: new AbortController().signal,
    reportTrouble: () => undefined,
  }
}

function sinkTo({ nats }: Bed, options: object): SinkConnector {
  const subject = 'subjectField' in options ? {} : { subject: 's.a' }
  return natsConnector(nats.connect).sink({ servers: 'virtual:4222', stream: 'S', inFlight: 3, ...subject, ...options })
}

async function writerTo(
  system: Bed,
  options: object,
  { slot = 0, attempt = 1, schema = SCHEMA, recovered = [] as readonly Committable[] } = {},
): Promise<SinkWriter> {
  const writer = sinkTo(system, options).writer({ ...contextOf(system, schema), slot, attempt })
  await writer.open(recovered)
  return writer
}

function rowsOf(...numbers: number[]): RowBatch {
  return new RowBatch(numbers.map((n): Row => ({ n, k: null })))
}

function textsIn({ stream }: Bed): string[] {
  return stream.messages.map(({ data }) => Buffer.from(data).toString())
}

function numbersIn(system: Bed): number[] {
  return textsIn(system).map((text) => (JSON.parse(text) as { n: number }).n)
}

async function filesLeft(): Promise<string[]> {
  const all = await readdir(home, { recursive: true, withFileTypes: true })
  return all.filter((file) => file.isFile()).map(({ name }) => name)
}

/** The rows 1 to 3 of one checkpoint; the servers are away, and the writer dies, when so many of them are stored. */
async function diesWhileItPublishes(system: Bed, stored: number): Promise<readonly Committable[]> {
  const writer = await writerTo(system, { ...EFFECTIVELY_ONCE, inFlight: 1 })
  await writer.write(rowsOf(1, 2, 3))
  const committables = await writer.prepareCommit(1)
  system.nats.isDown = stored === 0
  system.stream.onStored = (count) => {
    system.nats.isDown = count === stored
  }
  await expect(writer.commit?.(committables)).rejects.toMatchObject({ code: 'NATS_UNREACHABLE' })
  system.stream.onStored = undefined
  await writer.close()
  system.nats.isDown = false
  return committables
}

describe('effectively once', () => {
  test('what a complete checkpoint holds is there once, all else never', async () => {
    const system = bed()
    await expectExactlyOnceSink({
      connector: sinkTo(system, EFFECTIVELY_ONCE),
      context: contextOf(system),
      row: (n) => ({ n, k: null }),
      visible: () => Promise.resolve(textsIn(system)),
      show: (row) => JSON.stringify(row),
    })
  })

  test('whatever dies, gets lost or is away for long when, every row is there once, and no file is left', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { maxLength: 40 }), async (steps) => {
        for (const name of await readdir(home)) await rm(join(home, name), { recursive: true })
        away = 0
        const system = bed()
        await runJob(system, steps)
        expect(numbersIn(system).sort((a, b) => a - b)).toEqual(Array.from({ length: ROWS }, (_row, n) => n))
        expect(await filesLeft()).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test.each([1, 2, 3])(
    'when the job was away for longer than the duplicate window, %i rows that were stored are left out',
    async (stored) => {
      const system = bed()
      const recovered = await diesWhileItPublishes(system, stored)
      for (let n = 0; n < 50; n++) system.stream.store('s.other', '{"n":9}', { headers: [['Nats-Msg-Id', `x-${n}`]] })
      away += 10 * WINDOW_MS
      await (await writerTo(system, EFFECTIVELY_ONCE, { attempt: 2, recovered })).close()
      expect(numbersIn(system).filter((n) => n !== 9)).toEqual([1, 2, 3])
    },
  )

  test('when a process stood still for longer than the window, it looks before it publishes what another has', async () => {
    const system = bed()
    const still = await writerTo(system, EFFECTIVELY_ONCE)
    await still.write(rowsOf(1, 2))
    const committables = await still.prepareCommit(1)
    // it has read its files when it comes to stand still, and the other one deletes them
    const kept = await mkdtemp(join(tmpdir(), 'millrace-nats-kept-'))
    await cp(home, kept, { recursive: true })
    await (await writerTo(system, EFFECTIVELY_ONCE, { attempt: 2, recovered: committables })).close()
    away += 2 * WINDOW_MS
    await cp(kept, home, { recursive: true })
    await rm(kept, { recursive: true })
    expect(await filesLeft()).toEqual(['1-0-0'])
    await still.commit?.(committables)
    expect(numbersIn(system)).toEqual([1, 2])
    await still.close()
  })

  describe('when the stream has removed messages since', () => {
    test('and the job was away for long, it fails, and says what it does not know', async () => {
      const system = bed()
      const recovered = await diesWhileItPublishes(system, 2)
      system.stream.removeUpTo(2)
      away += WINDOW_MS
      await expect(writerTo(system, EFFECTIVELY_ONCE, { attempt: 2, recovered })).rejects.toMatchObject({
        code: 'NATS_UNSURE_WHETHER_PUBLISHED',
        hint: expect.stringContaining('whenUnsure: publish'),
      })
      expect(numbersIn(system)).toEqual([])
    })

    test('and the job was away for long, it publishes all with whenUnsure: publish', async () => {
      const system = bed()
      const recovered = await diesWhileItPublishes(system, 2)
      system.stream.removeUpTo(2)
      away += WINDOW_MS
      const options = { ...EFFECTIVELY_ONCE, whenUnsure: 'publish' }
      await (await writerTo(system, options, { attempt: 2, recovered })).close()
      expect(numbersIn(system)).toEqual([1, 2, 3])
    })

    test('and the job comes back in time, the stream recognises what it had', async () => {
      const system = bed()
      const recovered = await diesWhileItPublishes(system, 2)
      system.stream.removeUpTo(2)
      away -= system.clock.now() - (recovered[1] as { at: number }).at - 1000
      await (await writerTo(system, EFFECTIVELY_ONCE, { attempt: 2, recovered })).close()
      expect(numbersIn(system)).toEqual([3])
    })
  })

  test('a stream that was made again gets all rows that wait', async () => {
    const system = bed()
    const recovered = await diesWhileItPublishes(system, 2)
    const again = { ...system, stream: system.nats.createStream('S', 's.>') }
    again.stream.store('s.other', '{"n":9}')
    away += WINDOW_MS
    await (await writerTo(again, EFFECTIVELY_ONCE, { attempt: 2, recovered })).close()
    expect(numbersIn(again)).toEqual([9, 1, 2, 3])
  })

  test('rows that wait for another stream are not published to this one', async () => {
    const system = bed()
    const recovered = await diesWhileItPublishes(system, 0)
    const [, staged] = recovered as [Committable, Record<string, unknown>]
    for (const [changed, code] of [
      [{ stream: 'T' }, 'SINK_CHANGED'],
      [{ behind: -1 }, 'SINK_NOTE_INVALID'],
      [{ producer: 'billing' }, 'COMMITTABLE_INVALID'],
    ] as const)
      await expect(
        writerTo(system, EFFECTIVELY_ONCE, { recovered: [{ ...staged, ...changed }] }),
      ).rejects.toMatchObject({ code })
    expect(numbersIn(system)).toEqual([])
  })
})

describe('at least once', () => {
  test.each(['lost before', 'lost after'] as const)(
    'rows are stored once each within the window when again and again a call is %s',
    async (mishap) => {
      const system = bed()
      const writer = await writerTo(system, {})
      for (let n = 0; n < 30; n++) {
        system.nats.mishaps.push(mishap)
        await writer.write(rowsOf(n))
      }
      await writer.prepareCommit(1)
      expect(numbersIn(system)).toEqual(Array.from({ length: 30 }, (_, n) => n))
      await writer.close()
    },
  )

  test('a barrier waits for every acknowledgement, and fails when none comes', async () => {
    const system = bed()
    const writer = await writerTo(system, {})
    await writer.write(rowsOf(1))
    await writer.prepareCommit(1)
    system.nats.isDown = true
    await writer.write(rowsOf(2))
    await expect(writer.prepareCommit(1)).rejects.toMatchObject({ code: 'NATS_UNREACHABLE', retriable: true })
    await writer.close()
  })
})

describe('a message', () => {
  const schema: Schema = {
    fields: [
      ...SCHEMA.fields,
      { name: 'raw', type: 'string', nullable: true, logical: { kind: 'bytes' } },
      { name: 'to', type: 'string', nullable: true },
    ],
  }
  const options = { headers: { K: 'k', Raw: 'raw' }, subjectField: 'to' }

  async function written(row: Row, system = bed()): Promise<VirtualStream['messages'][number] | undefined> {
    const writer = await writerTo(system, options, { schema })
    await writer.write(new RowBatch([row]))
    await writer.prepareCommit(1)
    await writer.close()
    return system.stream.messages[0]
  }

  test('has subject and headers of its row beside its data, and an id', async () => {
    const { subject, headers, data } = (await written({ n: 1, k: 'ü', raw: '\u0000\u00ff', to: 's.x.y' })) ?? {}
    expect([subject, Buffer.from(data ?? []).toString()]).toEqual(['s.x.y', '{"n":1}'])
    expect(headers).toEqual([
      ['K', 'ü'],
      ['Raw', 'AP8='],
      ['Nats-Msg-Id', expect.stringMatching(/^millrace-job-1-out-0-1-\w+-0$/)],
    ])
  })

  test.each([
    ['a subject with a wildcard', { to: 's.*' }, 's.*'],
    ['no subject', { to: null }, 'null'],
    ['a subject that the stream does not store', { to: 't.x' }, 'does not store the subject t.x'],
    ['a header of two lines', { k: 'a\nb' }, 'one line'],
    ['a header that ends with a blank', { k: 'a ' }, 'blank'],
    ['half of a character in a header', { k: '\ud800' }, ''],
  ])('with %s is an error of its row', async (_what, changed, words) => {
    await expect(written({ n: 1, k: null, raw: null, to: 's.x', ...changed })).rejects.toMatchObject({
      code: 'VALUE_INVALID',
      message: expect.stringContaining(words),
    })
  })

  test.each([
    ['the servers', (system: Bed) => void (system.nats.maxPayload = 2000)],
    ['the stream', (system: Bed) => void (system.stream.maxMessageBytes = 2000)],
  ])('that is longer than %s take is an error of its row', async (_whose, limit) => {
    const system = bed()
    limit(system)
    await expect(written({ n: 1, k: 'x'.repeat(2000), raw: null, to: 's.x' }, system)).rejects.toMatchObject({
      code: 'VALUE_INVALID',
      message: expect.stringContaining('takes 2000'),
    })
  })

  test('comes out of a file as it went in, and a file that was touched is refused', () => {
    const messages = [
      { n: 7, subject: 's.a', headers: [['K', 'ü']] as const, data: Buffer.from('{"n":1}') },
      { n: 8, subject: 's.b', headers: [], data: Buffer.alloc(0) },
    ]
    const bytes = encodeStaged(messages, 'job-1/out/1-0-0')
    expect(decodeStaged(bytes, 'job-1/out/1-0-0')).toEqual(messages)
    const refusal = expect.objectContaining({ code: 'NATS_STAGED_CORRUPT' }) as Error
    expect(() => decodeStaged(bytes, 'job-1/out/1-0-1')).toThrow(refusal)
    for (let at = 0; at < bytes.length; at++) {
      const touched = Buffer.from(bytes)
      touched[at] = (touched[at] ?? 0) ^ 1
      expect(() => decodeStaged(touched, 'job-1/out/1-0-0')).toThrow(refusal)
      expect(() => decodeStaged(bytes.subarray(0, at), 'job-1/out/1-0-0')).toThrow(refusal)
    }
  })
})

test('a stream that does not store the subject of a sink is refused, and a probe says what there is', async () => {
  const system = bed()
  const stopping = AbortSignal.timeout(60_000)
  const probe = (options: object): Promise<string> | undefined =>
    sinkTo(system, options).probe?.({ ...contextOf(system), stopping })
  expect(await probe({})).toBe('stream S of the subjects s.>, duplicate window 120 s')
  await expect(probe({ subject: 't' })).rejects.toMatchObject({ code: 'NATS_SUBJECT_FOREIGN' })
})

test.each([
  [{ servers: 'n:4222', subject: 's' }, 'stream'],
  [{ servers: 'n:4222', stream: 's' }, 'subject'],
  [{ servers: 'n:4222', stream: 's', subject: 's', subjectField: 'k' }, 'subject'],
  [{ servers: 'n:4222', stream: 's', subject: 's.*' }, 'subject'],
  [{ servers: 'n:4222', stream: 's', subject: 's', delivery: 'effectivelyOnce' }, 'files'],
  [{ servers: 'n:4222', stream: 's', subject: 's', files: 'waiting' }, 'files'],
  [{ servers: 'n:4222', stream: 's', subject: 's', whenUnsure: 'publish' }, 'whenUnsure'],
  [{ servers: 'n:4222', stream: 's', subject: 's', headers: { 'Nats-Msg-Id': 'k' } }, 'headers.Nats-Msg-Id'],
  [{ servers: 'n:4222', stream: 's', subject: 's', headers: { 'a:b': 'k' } }, 'headers.a:b'],
])('the options %j are wrong at %s', (options, path) => {
  expect(sinkOptions.check(options).map((problem) => problem.path)).toEqual([path])
})

test('options name fields of the schema, of types that fit', () => {
  const options = { servers: 'n:4222', stream: 's', subjectField: 'n', headers: { h: 'x' } }
  expect(declaration.sink?.checkSchema?.(options, SCHEMA).map(({ path }) => path)).toEqual([
    'headers.h',
    'subjectField',
  ])
})

/** The newest complete checkpoint, as the log has it. */
interface Saved {
  position: number
  committables: readonly Committable[]
}

class Died extends Error {}

const ROWS = 9
const STEPS = [
  'write',
  'checkpoint',
  'die',
  'die before commit',
  'die in the commit',
  'die behind commit',
  'lost before and die behind commit',
  'lost before',
  'lost after',
  'readings end',
  'stay away',
] as const
type Step = (typeof STEPS)[number]

/** A job of a few rows in which whatever can end its attempts does so where `steps` say. */
async function runJob(system: Bed, steps: readonly Step[]): Promise<void> {
  let saved: Saved = { position: 0, committables: [] }
  let at = 0
  for (let attempt = 1; ; attempt++) {
    const writer = await writerTo(system, EFFECTIVELY_ONCE, { attempt, recovered: saved.committables })
    try {
      let position = saved.position
      for (;;) {
        const step = steps[at++] ?? 'checkpoint'
        if (step === 'die') throw new Died()
        if (step === 'stay away') away += WINDOW_MS
        if (step === 'lost before' || step === 'lost after' || step === 'readings end') system.nats.mishaps.push(step)
        if (step.startsWith('lost before and')) system.nats.mishaps.push('lost before')
        if (position < ROWS) await writer.write(rowsOf(position++))
        if (step === 'write' && position < ROWS) continue
        saved = { position, committables: jsonOf(await writer.prepareCommit(at)) }
        if (step === 'die before commit') throw new Died()
        if (step === 'die in the commit') {
          const dying = writer.commit?.(saved.committables)
          dying?.catch(() => undefined)
          for (let turns = at % 9; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
          await writer.close()
          throw new Died()
        }
        await writer.commit?.(saved.committables)
        if (step.endsWith('die behind commit')) throw new Died()
        if (position >= ROWS && at >= steps.length) return await writer.close()
        saved = { ...saved, committables: [] }
      }
    } catch (error) {
      if (!(error instanceof Died)) throw error
      await writer.close()
    }
  }
}

function jsonOf(committables: readonly Committable[]): Committable[] {
  return JSON.parse(JSON.stringify(committables)) as Committable[]
}
