import { randomFillSync } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, deflate, deflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { takeFromAgent } from '../../../../../runtime/connectors/flume/agent-connection.ts'
import { appendBatchCall } from '../../../../../runtime/connectors/flume/flume-rpc.ts'
import { encodeNettyMessage } from '../../../../../runtime/connectors/flume/netty-frames.ts'
import { HeldBytes } from '../../../../../runtime/connectors/kit/held-bytes.ts'
import type { LogEntry } from '../../../../../runtime/connectors/kit/write-ahead-log/log-frame.ts'
import { realClock } from '../../../../../runtime/ports/real/clock.ts'
import type { Connection } from '../../../../../runtime/ports/net.ts'
import { SenderEnd } from '../../../../harness/sender-end.ts'
import { silentLogger } from '../../../../harness/silent-logger.ts'
import { until } from '../../../../harness/until.ts'

const OPTIONS = { metadata: undefined, maxBatchBytes: 1024 * 1024, maxBatchEvents: 1_000 }
/** A question for the protocol, by a hash that nobody knows: it is answered with the whole protocol. */
const QUESTION = Buffer.concat([Buffer.alloc(16, 7), Buffer.of(0), Buffer.alloc(16, 7), Buffer.of(0)])

const packed = promisify(deflate)

/** A log that keeps nothing before `release` is called. */
function heldIntake(): {
  kept: LogEntry[]
  release: () => void
  append(entries: readonly LogEntry[]): Promise<'kept'>
} {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const kept: LogEntry[] = []
  return {
    kept,
    release,
    async append(entries) {
      await released
      kept.push(...entries)
      return 'kept'
    },
  }
}

function taken(
  connection: Connection,
  compression: 'none' | 'deflate',
  append: (entries: readonly LogEntry[]) => Promise<'kept' | 'full'>,
  held = new HeldBytes(64 * 1024 * 1024),
): Promise<Error | undefined> {
  const intake = { append, check: () => Promise.resolve() }
  const signal = new AbortController().signal
  return takeFromAgent(
    connection,
    { ...OPTIONS, compression },
    { clock: realClock, logger: silentLogger, intake, held, signal },
  )
}

test.each(['none', 'deflate'] as const)(
  'an agent whose events are not kept yet is not read on, compressed by %s',
  async (compression) => {
    const agent = new SenderEnd()
    const intake = heldIntake()
    const ended = taken(agent, compression, (entries) => intake.append(entries))
    const batches = 100
    const sent = Buffer.concat(
      Array.from({ length: batches }, (_, index) => {
        const body = randomFillSync(Buffer.alloc(60_000))
        return encodeNettyMessage({
          serial: index,
          bytes: appendBatchCall([{ headers: new Map(), body }], index === 0),
        })
      }),
    )
    const wire = compression === 'none' ? sent : deflateSync(sent, { finishFlush: constants.Z_SYNC_FLUSH })
    let delivered = 0
    const deliver = (): void => {
      agent.deliver(wire.subarray(delivered, delivered + 64 * 1024))
      delivered = Math.min(delivered + 64 * 1024, wire.length)
    }
    // it is held back for good when it stays so while zlib, in its threads, has done as much work many times over
    for (let turnsHeld = 0; turnsHeld < 50 && delivered < wire.length; ) {
      turnsHeld = agent.isPaused ? turnsHeld + 1 : 0
      if (!agent.isPaused) deliver()
      await packed(wire.subarray(0, 64 * 1024))
    }
    expect(delivered).toBeLessThan(wire.length / 2)

    intake.release()
    await until(
      'every batch is kept',
      () => {
        if (!agent.isPaused && delivered < wire.length) deliver()
        return intake.kept.length === batches ? true : undefined
      },
      undefined,
      1,
    )
    agent.end()
    await expect(ended).resolves.toBeUndefined()
  },
)

test.each(['none', 'deflate'] as const)(
  'a sender that never reads its answers is cut off, compressed by %s',
  async (compression) => {
    const agent = new SenderEnd()
    let failure: Error | undefined
    void taken(agent, compression, () => Promise.resolve('kept')).then((error) => {
      failure = error
    })
    // other answers for each question, so that they do not compress to nothing
    const questions = Buffer.concat(
      Array.from({ length: 1_000 }, (_, serial) => encodeNettyMessage({ serial, bytes: QUESTION })),
    )
    const wire = compression === 'none' ? questions : deflateSync(questions, { finishFlush: constants.Z_SYNC_FLUSH })
    await until(
      'it is cut off',
      () => {
        if (failure === undefined && !agent.isPaused) agent.deliver(wire)
        return failure
      },
      undefined,
      1,
    )
    expect(failure).toMatchObject({
      code: 'FLUME_PROTOCOL',
      message: expect.stringContaining('does not read') as string,
    })
    expect(agent.bufferedBytes).toBeLessThan(1024 * 1024)
  },
)

test.each(['none', 'deflate'] as const)(
  'of many agents that send beginnings of batches, compressed by %s, those that hold most are closed',
  async (compression) => {
    const held = new HeldBytes(100_000)
    const body = randomFillSync(Buffer.alloc(60_000))
    const call = encodeNettyMessage({ serial: 1, bytes: appendBatchCall([{ headers: new Map(), body }], true) })
    const begun = call.subarray(0, 50_000)
    const sent = compression === 'none' ? begun : deflateSync(begun, { finishFlush: constants.Z_SYNC_FLUSH })
    const ended = Array.from({ length: 10 }, () => {
      const agent = new SenderEnd()
      const taking = taken(agent, compression, () => Promise.resolve('kept'), held)
      agent.deliver(sent)
      return taking
    })
    expect(await Promise.race(ended)).toMatchObject({ code: 'FLOOD' })
    expect(held.total).toBeLessThanOrEqual(100_000)
  },
)
