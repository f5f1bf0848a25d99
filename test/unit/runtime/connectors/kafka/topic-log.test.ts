import { beforeEach, describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { readFormat } from '../../../../../runtime/formats/formats.ts'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { loggedSource } from '../../../../../runtime/connectors/kit/write-ahead-log/logged-source.ts'
import type { LogOption } from '../../../../../runtime/connectors/kit/write-ahead-log/log-option.ts'
import type { LogEntry } from '../../../../../runtime/connectors/kit/write-ahead-log/log-frame.ts'
import type { Intake } from '../../../../../runtime/connectors/kit/write-ahead-log/reception.ts'
import { VirtualKafka } from '../../../../../runtime/connectors/kafka/virtual/cluster.ts'
import type { SourceReader, Split } from '../../../../../runtime/connectors/source.ts'
import type { Row, Schema } from '../../../../../runtime/model/schema.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'
import { IN_A_TOPIC } from '../../../../harness/log-world.ts'
import { sourceContext } from '../../../../harness/source-context.ts'
import { until } from '../../../../harness/until.ts'

await loadRecordCodecs()

const SCHEMA: Schema = {
  fields: [
    { name: 'id', type: 'string', nullable: false },
    { name: 'from', type: 'string', nullable: true },
  ],
}
const TOPIC = 'log'
const entry = (id: string, metadata = ''): LogEntry => ({ metadata, value: Buffer.from(JSON.stringify({ id })) })

let kafka: VirtualKafka

beforeEach(() => {
  kafka = new VirtualKafka()
  kafka.createTopic(TOPIC, 2)
})

interface Slot {
  reader: SourceReader
  intake: Intake
  trouble: string[]
}

/** One slot that reads and writes the topic, from these splits on. */
async function start(known: readonly Split[] = [], option: Partial<LogOption> = {}): Promise<Slot> {
  let intake: Intake | undefined
  const trouble: string[] = []
  const source = loggedSource(
    {
      log: { ...IN_A_TOPIC, ...option } as LogOption,
      format: readFormat('json').format,
      metadata: { receivedAt: undefined, sender: 'from', headers: {} },
    },
    {
      where: 'nowhere',
      connectKafka: (options) => kafka.connect(options),
      open: async (_context, opened) => {
        intake = opened
        return { close: async () => undefined }
      },
    },
  )
  const context = {
    ...sourceContext({ verb: { connector: 'webhook' }, schema: SCHEMA, baseDir: '/', ports: jumpingPorts() }),
    slot: 0,
    parallelism: 1,
    reportTrouble: (error: Error | null) => {
      if (error !== null) trouble.push(error.message)
    },
  }
  const reader = source.reader(context, compileRowClass(SCHEMA))
  await reader.open(await source.enumerator(context).discover(known, 1, 1))
  return { reader, trouble, intake: await until('the source listens', () => intake) }
}

async function rowsOf({ reader }: Slot, count: number): Promise<Row[]> {
  const rows: Row[] = []
  await until(`${count} rows`, async () => {
    for (const row of (await reader.poll(100))?.batch.rows() ?? []) rows.push({ ...row })
    return rows.length >= count ? true : undefined
  })
  return rows
}

/** The first offset that each partition still has. */
const startOf = (partition: number): number =>
  kafka.listOffsets(1, 'read_uncommitted', [{ topic: TOPIC, partition, timestamp: -2 }])[0]?.offset ?? -1

describe('a log in a topic of Kafka', () => {
  test('gives rows of what was kept, with what stands beside their values', async () => {
    const slot = await start()
    expect(await slot.intake.append([entry('a', '{"sender":"10.0.0.1"}'), entry('b')])).toBe('kept')
    expect(await rowsOf(slot, 2)).toEqual([
      { id: 'a', from: '10.0.0.1' },
      { id: 'b', from: null },
    ])
    await slot.reader.close()
  })

  test('deletes what a complete checkpoint covers, and nothing behind it', async () => {
    const slot = await start()
    await slot.intake.append([entry('a'), entry('b')])
    await rowsOf(slot, 2)
    const covered = slot.reader.snapshot()
    await slot.intake.append([entry('c')])
    await slot.reader.notifyCheckpointComplete?.(covered)
    await until('the records are deleted', () => (startOf(0) === 2 ? true : undefined))
    await slot.reader.close()
    const next = await start(covered)
    expect(await rowsOf(next, 1)).toEqual([{ id: 'c', from: null }])
    await next.reader.close()
  })

  test('deletes nothing where the retention of the topic does', async () => {
    const calls: string[] = []
    kafka.fault = (call) => {
      calls.push(call)
      return undefined
    }
    const slot = await start([], { deletes: false })
    await slot.intake.append([entry('a')])
    await rowsOf(slot, 1)
    await slot.reader.notifyCheckpointComplete?.(slot.reader.snapshot())
    await slot.reader.close()
    expect(calls).not.toContain('deleteRecords')
  })

  test('refuses a record that is too large, and keeps those of other senders', async () => {
    const slot = await start()
    const large = slot.intake.append([entry('a'), entry('x'.repeat(1000))])
    const other = slot.intake.append([entry('b')])
    await expect(large).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
      message: 'record 1 has 1017 bytes; the log in topic log takes 1000',
    })
    expect(await other).toBe('kept')
    expect(await rowsOf(slot, 1)).toEqual([{ id: 'b', from: null }])
    await slot.reader.close()
  })

  test('is full while too much waits for the brokers', async () => {
    const slot = await start()
    const some = Array.from({ length: 5 }, () => slot.intake.append([entry('x'.repeat(800))]))
    expect(await Promise.all(some)).toEqual(['kept', 'kept', 'kept', 'kept', 'full'])
    await slot.reader.close()
  })

  test('asks senders to send again when the brokers are away for too long, and goes on when they are back', async () => {
    const slot = await start()
    expect(await slot.intake.append([entry('a')])).toBe('kept')
    kafka.fault = (call) => (call === 'produce' ? 'before' : undefined)
    await expect(slot.intake.append([entry('b')])).rejects.toMatchObject({
      code: 'LOG_UNWRITABLE',
      retriable: true,
      message: 'cannot write the log in topic log of the Kafka at kafka:9092',
    })
    expect(slot.trouble).toContainEqual(expect.stringContaining('produce'))
    kafka.fault = () => undefined
    expect(await slot.intake.append([entry('c')])).toBe('kept')
    expect((await rowsOf(slot, 2)).map(({ id }) => id)).toEqual(['a', 'c'])
    await slot.reader.close()
  })

  test('is not begun behind state of another log of which something may be left', async () => {
    const left = { id: '3-0123456789abcdef/0', position: { segment: 1, offset: 10, entry: 0 }, finished: false }
    await expect(start([left])).rejects.toMatchObject({ code: 'LOG_LOST' })
    const slot = await start([
      { ...left, finished: true },
      { id: 'memory/0', position: null, finished: false },
    ])
    expect(slot.reader.snapshot().map(({ id }) => id)).toEqual(['log/0', 'log/1'])
    await slot.reader.close()
  })

  test('says that its topic does not exist', async () => {
    await expect(start([], { topic: 'nowhere' })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_UNKNOWN' })
  })
})
