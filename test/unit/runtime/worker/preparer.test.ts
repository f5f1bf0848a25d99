import { RowBatch } from '../../../../runtime/memory/batch.ts'
import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { writeStateFiles } from '../../../../runtime/checkpoint/state-file.ts'
import type { SinkWriter } from '../../../../runtime/connectors/sink.ts'
import type { Deployment, Preparation } from '../../../../runtime/control/messages.ts'
import type { GroupState, SnapshotExtent, StateFile } from '../../../../runtime/model/snapshot.ts'
import { planJob } from '../../../../runtime/front/planned-job.ts'
import { BadRecords } from '../../../../runtime/task/bad-records.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'
import { Preparer } from '../../../../runtime/worker/preparer.ts'
import { type CompiledSubtask, compileSubtask } from '../../../../runtime/worker/compiled-subtask.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'
import { quietPorts } from '../../../harness/source-context.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'
import { encodeGraph } from '../../../../runtime/graph/encoded-graph.ts'

const spec = (replicas: number): object => ({
  replicas,
  graph: [
    { id: 'bids', source: { file: { path: 'in.jsonl', format: 'json' } }, schema: { auction: 'long', price: 'long' } },
    { id: 'largest', from: 'bids', keyBy: 'auction', reduce: { price: 'Math.max(previous.price, current.price)' } },
    { id: 'out', from: 'largest', sink: { file: { path: 'out' } } },
  ],
})

const ports = quietPorts()
const plan = (of: unknown) => planJob(of, builtinConnectors).plan
const NO_SINK: SinkWriter = {
  open: () => Promise.resolve(),
  write: () => Promise.resolve(),
  prepareCommit: () => Promise.resolve([]),
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
}

/** Tells which files are read. */
class ReadStore extends MemoryStore {
  readonly read: string[] = []
  onGet: (path: string) => Promise<void> = () => Promise.resolve()

  override async get(path: string): Promise<Uint8Array | undefined> {
    this.read.push(path)
    await this.onGet(path)
    return super.get(path)
  }
}

/** A job of one slot that runs, and its checkpoints. */
class Running {
  readonly store = new ReadStore()
  readonly #compiled: CompiledSubtask
  #checkpoints = 0

  constructor(compiled: CompiledSubtask) {
    this.#compiled = compiled
    const badRecords = new BadRecords({
      handling: new Map(),
      counters: compiled.counters,
      tallies: compiled.tallies,
      logger: silentLogger,
    })
    compiled.outlets.connect({ sinks: new Map([['out', NO_SINK]]), badRecords })
  }

  static async start(): Promise<Running> {
    return new Running(
      await compileSubtask({
        plan: plan(spec(1)),
        chain: 'largest',
        slot: 0,
        baseDir: '',
        ports,
        connectors: builtinConnectors,
        checkWanted: () => undefined,
      }),
    )
  }

  /** Rows of so many auctions from one on. */
  async take(from: number, count: number, price: number): Promise<void> {
    const [input] = this.#compiled.inputs
    if (input === undefined) throw new Error('no input')
    for (let at = 0; at < count; at += 100) {
      const rows = Array.from(
        { length: Math.min(100, count - at) },
        (_, index) =>
          new input.rowClass(
            ...input.schema.fields.map(({ name }) => (name === 'auction' ? from + at + index : price)),
          ),
      )
      await this.#compiled.operators.head.process(new RowBatch(rows), 0)
    }
  }

  async checkpoint(extent: SnapshotExtent): Promise<Record<string, readonly StateFile[]>> {
    const frozen = this.#compiled.operators.states.get('largest')?.freeze?.(extent)
    if (frozen === undefined) throw new Error('it cannot be frozen')
    const { kept, blocks, bytes } = frozen.read()
    const id = ++this.#checkpoints
    const files = await writeStateFiles(
      { store: this.store, pathOf: (index) => `${id}.${index}`, turn: () => Promise.resolve(), fileBytes: 20_000 },
      blocks,
      bytes,
    )
    frozen.release(files)
    return { largest: [...kept, ...files] }
  }
}

const place = (replicas: number) => ({
  graph: encodeGraph(planJob(spec(replicas), builtinConnectors).graph),
  baseDir: '',
  store: 'any',
  chain: 'largest',
  slot: 0,
})
const preparation = (state: Preparation['state'], replicas = 2): Preparation => ({
  ...place(replicas),
  checkpoint: 1,
  state,
})
const deployment = (state: Preparation['state'], replicas = 2): Deployment => ({
  ...place(replicas),
  attempt: 2,
  jobUid: 'uid',
  predecessors: [],
  readingShare: 1,
  inlineStateBytes: 0,
  upstream: {},
  restore: { splits: {}, state, committables: {}, sinkNotes: {} },
})

function preparerOf({ store }: Running, room = Infinity): Preparer {
  return new Preparer({ ports, connectors: builtinConnectors, openStore: () => store, roomInMemory: () => room })
}

/** The files that hold key groups of the first of two slots. */
function ownPaths(files: Preparation['state']): string[] {
  return (files['largest'] ?? []).filter(({ groups }) => groups.some(([group]) => group < 64)).map(({ path }) => path)
}

/** What a deployment comes to hold, and which files it reads for that. */
async function deployed(
  preparer: Preparer,
  { store }: Running,
  state: Preparation['state'],
): Promise<{ held: readonly GroupState[]; read: readonly string[] }> {
  const prepared = await preparer.stateFor(deployment(state), () => undefined)
  store.read.length = 0
  await prepared.fill(state, { store, clock: ports.clock, checkWanted: () => undefined })
  prepared.finish()
  const held = wholeBlocks(prepared.compiled.operators.states.get('largest'))
  await prepared.compiled.discard()
  return { held, read: [...store.read] }
}

describe('a subtask that was prepared', () => {
  test('reads only what came since when it is deployed, and holds what one without preparation does', async () => {
    const running = await Running.start()
    await running.take(0, 3_000, 1)
    const first = await running.checkpoint('appended')
    const preparer = preparerOf(running)
    let progress = 0
    await preparer.prepare(preparation(first), () => {
      progress += 1
    })
    expect(progress).toBe(ownPaths(first).length)
    await running.take(2_000, 2_000, 7)
    const second = await running.checkpoint('appended')
    await preparer.prepare(preparation(second), () => undefined)
    await running.take(100, 50, 9)
    const last = await running.checkpoint('appended')
    const alone = await deployed(preparerOf(running), running, last)
    expect(alone.read).toEqual(ownPaths(last))
    expect(alone.read.length).toBeGreaterThan(5)
    expect(await deployed(preparer, running, last)).toEqual({ held: alone.held, read: ['3.0'] })
  })

  test('from files that are not the beginning of those it is deployed with, reads all of these', async () => {
    const running = await Running.start()
    await running.take(0, 1_000, 1)
    const first = await running.checkpoint('appended')
    const preparer = preparerOf(running)
    await preparer.prepare(preparation(first), () => undefined)
    const whole = await running.checkpoint('whole')
    const alone = await deployed(preparerOf(running), running, whole)
    expect(await deployed(preparer, running, whole)).toEqual(alone)
  })

  test('for other files than before, begins anew with them', async () => {
    const running = await Running.start()
    await running.take(0, 1_000, 1)
    const preparer = preparerOf(running)
    await preparer.prepare(preparation(await running.checkpoint('whole')), () => undefined)
    const other = await running.checkpoint('appended')
    await preparer.prepare(preparation(other), () => undefined)
    const alone = await deployed(preparerOf(running), running, other)
    expect(await deployed(preparer, running, other)).toEqual({ held: alone.held, read: [] })
  })

  test('for another spec, is of no use', async () => {
    const running = await Running.start()
    await running.take(0, 1_000, 1)
    const files = await running.checkpoint('appended')
    const preparer = preparerOf(running)
    await preparer.prepare(preparation(files, 3), () => undefined)
    expect(await deployed(preparer, running, files)).toEqual(await deployed(preparerOf(running), running, files))
  })

  test('when it is deployed before it is done, keeps what it has', async () => {
    const running = await Running.start()
    await running.take(0, 3_000, 1)
    const files = await running.checkpoint('appended')
    const own = ownPaths(files)
    let goOn = (): void => undefined
    const waiting = new Promise<void>((reached) => {
      running.store.onGet = (path) =>
        path === own.at(-1)
          ? new Promise((resolve) => {
              goOn = resolve
              reached()
            })
          : Promise.resolve()
    })
    const preparer = preparerOf(running)
    const preparing = preparer.prepare(preparation(files), () => undefined)
    await waiting
    running.store.onGet = () => Promise.resolve()
    const alone = await deployed(preparerOf(running), running, files)
    const deploying = deployed(preparer, running, files)
    goOn()
    await expect(preparing).rejects.toMatchObject({ code: 'PREPARATION_OVER' })
    const { held, read } = await deploying
    expect(held).toEqual(alone.held)
    expect(read).toEqual(own.slice(-read.length))
    expect(read.length).toBeLessThan(own.length)
  })

  test.each([
    { what: 'memory has no room for it', code: 'PREPARATION_TOO_LARGE', room: 100, damage: (): void => undefined },
    {
      what: 'a file is gone',
      code: 'STATE_MISSING',
      room: Infinity,
      damage: (store: ReadStore): void => {
        store.objects.delete('1.0')
      },
    },
  ])('is told to have come to nothing when $what, and can be asked for again', async ({ code, room, damage }) => {
    const running = await Running.start()
    await running.take(0, 1_000, 1)
    const files = await running.checkpoint('appended')
    const copy = new Map(running.store.objects)
    damage(running.store)
    const preparer = preparerOf(running, room)
    await expect(preparer.prepare(preparation(files), () => undefined)).rejects.toMatchObject({ code })
    for (const [path, bytes] of copy) running.store.objects.set(path, bytes)
    expect(await deployed(preparer, running, files)).toEqual(await deployed(preparerOf(running), running, files))
  })
})
