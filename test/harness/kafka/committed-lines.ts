import type { Kafka } from 'kafkajs'
import { fetchKafka } from '../beds/kafka-bed.ts'
import { runCommand } from '../beds/run-command.ts'
import { END, writeEnds } from './topic-tally.ts'

/** It ends when nothing came for so long; that it saw everything is told by the end records. */
const QUIET_MS = 5000

/**
 * An open transaction holds readers back: of a job that runs it may on a busy machine for longer than a reader
 * waits.
 */
export class HeldBack extends Error {}

/**
 * Every record of a topic that is JSON, as text, read committed by Kafka's own console consumer. kafkajs delivers
 * the first records of an aborted transaction when several overlap: its filterAbortedMessages takes the broker's
 * list as sorted by first offset, and the broker sorts by end. Throws HeldBack.
 */
export async function committedLines(kafka: Kafka, bootstrap: string, topic: string): Promise<string[]> {
  const expectedEnds = await writeEnds(kafka, topic)
  const jars = await fetchKafka()
  const output = await runCommand(
    'java',
    [
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-cp',
      `${jars}/*`,
      'org.apache.kafka.tools.consumer.ConsoleConsumer',
      '--bootstrap-server',
      bootstrap,
      '--topic',
      topic,
      '--from-beginning',
      '--isolation-level',
      'read_committed',
      '--timeout-ms',
      String(QUIET_MS),
    ],
    { bed: 'kafka', doing: `reading ${topic}` },
  )
  const lines = output.split('\n')
  const ends = lines.filter((line) => line === END).length
  if (ends < expectedEnds)
    throw new HeldBack(
      `the console consumer saw ${ends} of ${expectedEnds} end records in ${topic}: an open transaction holds it back`,
    )
  return lines.filter((line) => line.startsWith('{'))
}
