import { expect, test } from 'vitest'
import { HeldBytes } from '../../../../../runtime/connectors/kit/held-bytes.ts'
import { takeFrom } from '../../../../../runtime/connectors/tcp/intake-connection.ts'
import type { LogEntry } from '../../../../../runtime/connectors/kit/write-ahead-log/log-frame.ts'
import { framed } from '../../../../../runtime/connectors/tcp/frames.ts'
import { realClock } from '../../../../../runtime/ports/real/clock.ts'
import { SenderEnd } from '../../../../harness/sender-end.ts'
import { silentLogger } from '../../../../harness/silent-logger.ts'
import { until } from '../../../../harness/until.ts'

test('a sender that never reads what is acknowledged is cut off before much of that is held', async () => {
  const sender = new SenderEnd()
  const options = { framing: 'lines', acknowledge: 'count', metadata: undefined, maxRecordBytes: 1024 } as const
  const ended = takeFrom(sender, options, {
    clock: realClock,
    logger: silentLogger,
    intake: { append: async () => 'kept', check: async () => undefined },
    held: new HeldBytes(1_000_000),
    signal: new AbortController().signal,
  })
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  while (!isOver) {
    sender.deliver(Buffer.from('a\n'))
    await new Promise(setImmediate)
    expect(sender.bufferedBytes).toBeLessThan(300_000)
  }
  expect(await ended).toMatchObject({ message: 'the sender does not read what is acknowledged' })
})

test.each(['lines', 'length'] as const)(
  'of many connections that hold beginnings of records, framed by %s, those that hold most are closed',
  async (framing) => {
    const held = new HeldBytes(10_000)
    const kept: string[] = []
    const surroundings = {
      clock: realClock,
      logger: silentLogger,
      intake: {
        append: async (entries: readonly LogEntry[]) => {
          kept.push(...entries.map(({ value }) => Buffer.from(value).toString()))
          return 'kept' as const
        },
        check: async () => undefined,
      },
      held,
      signal: new AbortController().signal,
    }
    const options = { framing, acknowledge: 'none', metadata: undefined, maxRecordBytes: 5000 } as const
    const honest = new SenderEnd()
    void takeFrom(honest, options, surroundings)
    const record = framed(Buffer.from('honest'), framing)
    honest.deliver(record.subarray(0, 5))
    const large = framed(Buffer.alloc(4000, 'x'), framing)
    const ended = Array.from({ length: 20 }, () => {
      const stranger = new SenderEnd()
      const taking = takeFrom(stranger, options, surroundings)
      stranger.deliver(large.subarray(0, 3000))
      return taking
    })
    expect(held.total).toBeLessThanOrEqual(10_000)
    const errors = await Promise.all(ended.slice(0, 17))
    for (const error of errors) expect(error).toMatchObject({ code: 'FLOOD' })
    honest.deliver(record.subarray(5))
    await until('the record is kept', () => (kept.includes('honest') ? true : undefined))
  },
)
