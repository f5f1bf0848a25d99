import { expect, test } from 'vitest'
import { takeFrom } from '../../../../../runtime/connectors/tcp/intake-connection.ts'
import { realClock } from '../../../../../runtime/ports/real/clock.ts'
import { SenderEnd } from '../../../../harness/sender-end.ts'
import { silentLogger } from '../../../../harness/silent-logger.ts'

test('a sender that never reads what is acknowledged is cut off before much of that is held', async () => {
  const sender = new SenderEnd()
  const options = { framing: 'lines', acknowledge: 'count', metadata: undefined, maxRecordBytes: 1024 } as const
  const ended = takeFrom(sender, options, {
    clock: realClock,
    logger: silentLogger,
    intake: { append: async () => 'kept', check: async () => undefined },
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
