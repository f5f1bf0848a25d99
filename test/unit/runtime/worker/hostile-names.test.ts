import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { fileEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** The rows of a job with two chains, state and a side output, by the ids of its source and of its aggregate. */
async function rowsWith(id: string, stateful: string): Promise<string[]> {
  const job = new InProcessJob(
    {
      checkpoints: { interval: '20ms' },
      graph: [
        { id, source: { file: { path: 'in.jsonl', format: 'json' } }, schema: { k: 'string', n: 'long' } },
        { id: 'split', from: id, sideOutput: { large: 'n > 5' } },
        { id: stateful, from: 'split.large', keyBy: 'k', aggregate: { total: 'sum(n)' } },
        { id: 'both', from: stateful, sink: { file: { path: 'side' } } },
        { id: 'sink', from: 'split', sink: { file: { path: 'main' } } },
      ],
    },
    new Connectors([fileEntry]),
  )
  cleanups.push(() => job.close())
  mkdirSync(job.folder, { recursive: true })
  const lines = Array.from({ length: 20 }, (_, n) => `${JSON.stringify({ k: n % 2 === 0 ? 'constructor' : 'b', n })}\n`)
  writeFileSync(join(job.folder, 'in.jsonl'), lines.join(''))
  await job.start()
  await job.reportWith('finished', ({ phase }) => phase === 'finished')
  return ['main', 'side'].flatMap((folder) =>
    readdirSync(join(job.folder, folder))
      .filter((name) => name.startsWith('part-'))
      .flatMap((name) => readFileSync(join(job.folder, folder, name), 'utf8').split('\n'))
      .filter((line) => line !== '')
      .sort(),
  )
}

test('operators called "constructor" are like any other', async () => {
  const plain = await rowsWith('numbers', 'sums')
  expect(plain.length).toBeGreaterThan(0)
  expect(await rowsWith('constructor', 'sums')).toEqual(plain)
  expect(await rowsWith('numbers', 'constructor')).toEqual(plain)
})
