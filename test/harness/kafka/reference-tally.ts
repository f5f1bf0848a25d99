import type { Kafka } from 'kafkajs'
import { committedLines } from './committed-lines.ts'
import type { Tally } from './topic-tally.ts'

/** As `tally`, by Kafka's own console consumer. */
export async function referenceTally(kafka: Kafka, bootstrap: string, topic: string): Promise<Tally> {
  const seen = new Map<number, number>()
  for (const line of await committedLines(kafka, bootstrap, topic)) {
    const { n } = JSON.parse(line) as { n: number }
    seen.set(n, (seen.get(n) ?? 0) + 1)
  }
  return seen
}
