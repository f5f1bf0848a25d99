import { beforeEach, describe, expect, test } from 'vitest'
import type { DeadLetters } from '../../../../../runtime/connectors/dead-letters.ts'
import { kafkaConnector } from '../../../../../runtime/connectors/kafka/connector.ts'
import { VirtualKafka } from '../../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

let kafka: VirtualKafka

beforeEach(() => {
  kafka = new VirtualKafka()
  kafka.createTopic('letters', 2)
})

function open(options: Record<string, unknown> = {}, stopping = new AbortController().signal): Promise<DeadLetters> {
  const connector = kafkaConnector((client) => kafka.connect(client))
  return connector.deadLetters({ brokers: 'k:9092', topic: 'letters', ...options }).open({
    slot: 1,
    ports: jumpingPorts(),
    baseDir: '.',
    stopping,
    reportTrouble: () => undefined,
  })
}

const written = (): number =>
  kafka.listOffsets(1, 'read_committed', [{ topic: 'letters', partition: 1, timestamp: -1 }])[0]?.offset ?? -1
const LETTER = { where: 'in/0 offset 7', reason: 'no JSON', record: new Uint8Array([255]) }

describe('dead letters to Kafka', () => {
  test('when they are flushed, the broker has every one', async () => {
    const letters = await open()
    for (let i = 0; i < 10_000; i++) letters.add(LETTER)
    await letters.flush()
    expect(written()).toBe(10_000)
    await letters.flush()
    expect(written()).toBe(10_000)
  })

  test('when more is added than may wait, push says to wait', async () => {
    const letters = await open()
    letters.add(LETTER)
    expect(letters.push()).toBeUndefined()
    for (let i = 0; i < 50; i++) letters.add({ ...LETTER, record: new Uint8Array(200_000) })
    const room = letters.push()
    expect(room).toBeInstanceOf(Promise)
    await room
    expect(written()).toBe(51)
  })

  test('when Kafka stays away, flush rejects, so that no checkpoint counts on letters that are lost', async () => {
    const letters = await open()
    letters.add(LETTER)
    kafka.fault = (call) => (call === 'produce' ? 'before' : undefined)
    await expect(letters.flush()).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE', retriable: true })
    expect(() => letters.push()).toThrow(expect.objectContaining({ code: 'KAFKA_UNREACHABLE' }))
  })

  test('when the subtask stops, nothing waits for Kafka', async () => {
    const stop = new AbortController()
    const letters = await open({}, stop.signal)
    letters.add(LETTER)
    kafka.fault = () => {
      stop.abort()
      return 'before'
    }
    await expect(letters.flush()).rejects.toMatchObject({ code: 'KAFKA_CLOSED' })
  })

  test('when the topic does not exist, opening rejects', async () => {
    await expect(open({ topic: 'none' })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_UNKNOWN' })
  })

  test('when an option is wrong, it is refused before anything is opened', () => {
    expect(() => open({ topik: 'x' })).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID', hint: 'did you mean "topic"?' }),
    )
  })
})
