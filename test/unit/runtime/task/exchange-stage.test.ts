import { RowBatch } from '../../../../runtime/memory/batch.ts'
import { expect, test } from 'vitest'
import { compileBatchCodec } from '../../../../runtime/codegen/rows/codec.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { ChannelWriter } from '../../../../runtime/exchange/channel-writer.ts'
import { RecordWriter } from '../../../../runtime/exchange/record-writer.ts'
import type { Schema } from '../../../../runtime/model/schema.ts'
import { realClock } from '../../../../runtime/ports/real/clock.ts'
import { ExchangeStage } from '../../../../runtime/task/stage.ts'
import { TimeShares } from '../../../../runtime/task/time-shares.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'

const SCHEMA: Schema = { fields: [{ name: 'text', type: 'string', nullable: false }] }

// Otherwise a subtask whose consumer never came could not be stopped, and its worker would hold up every later attempt.
test('when what it writes has no room because no consumer has come, closing it ends the wait with CHANNEL_CLOSED, which counts as backpressure', async () => {
  const rowClass = compileRowClass(SCHEMA)
  const clock = new ManualClock()
  const time = new TimeShares(clock)
  time.start()
  const stage: ExchangeStage = new ExchangeStage(
    [
      new RecordWriter(
        [
          new ChannelWriter('a→b 0→0', () => {
            stage.wake()
          }),
        ],
        compileBatchCodec(SCHEMA, rowClass),
        { kind: 'one', channel: 0 },
        realClock,
      ),
    ],
    time,
    () => undefined,
  )
  const rows = Array.from({ length: 1024 }, () => new rowClass('x'.repeat(1024)))
  const wait = stage.process(new RowBatch(rows))
  await clock.advance(300)
  for (const writer of stage.writers) writer.close()
  await expect(wait).rejects.toMatchObject({ code: 'CHANNEL_CLOSED' })
  expect(time.read()).toEqual({ elapsed: 300, idle: 0, backpressured: 300 })
})
