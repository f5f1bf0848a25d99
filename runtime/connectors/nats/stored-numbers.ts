import type { NatsClient, StreamState } from './client.ts'

/** The header by which a stream recognises a message. */
export const MESSAGE_ID = 'Nats-Msg-Id'

/**
 * Reads the heads of the messages of a stream from a sequence up to its last one, whoever has published them, and resolves
 * with the numbers behind the prefix in their ids. `isWhole` says that none of these messages is missing.
 */
export async function storedNumbers(
  client: NatsClient,
  { name, last }: StreamState,
  { from, prefix }: { from: number; prefix: string },
): Promise<{ numbers: ReadonlySet<number>; isWhole: boolean }> {
  const numbers = new Set<number>()
  let seen = 0
  let next = from
  if (last < from) return { numbers, isWhole: true }
  const reading = await client.read(name, { sequence: from, subjects: undefined, parts: 'heads' })
  try {
    while (next <= last && (await client.hasMessage(name, next, undefined))) {
      for (const { sequence, headers } of (await reading.next()).messages) {
        next = sequence + 1
        if (sequence <= last) seen++
        const id = headers.find(([header]) => header === MESSAGE_ID)?.[1]
        if (id?.startsWith(prefix) === true) numbers.add(Number(id.slice(prefix.length)))
      }
    }
    return { numbers, isWhole: seen === last - from + 1 }
  } finally {
    reading.close()
  }
}
