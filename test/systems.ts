import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { endWithStarter } from '../cli/end-with-starter.ts'
import { STORE_SERVERS } from './harness/faults/store-place.ts'

/** What of the real systems takes longer than `npm test` may: fault runs over checkpoints in each of them. */
const PAGE = join(import.meta.dirname, '..', 'docs', 'results', 'system-faults.md')
const USAGE = `usage: npm run test:systems -- [--store ${STORE_SERVERS.map(({ name }) => name).join('|')}] [--seeds N] [--write] [--help]

  --store  only this one; all, and a folder, in turn when left out
  --seeds  how many of each, default 100: 25 minutes (s3, kudu) to an hour (hdfs)
  --write  writes docs/results/system-faults.md; only for all of them

  example: npm run test:systems -- --store hbase --seeds 10

  Ends with 0 when the output of every run was that of an uninterrupted one, 1 when not, 2 when it was asked for in
  another way.
`

interface Wish {
  /** Undefined: a folder. */
  stores: readonly (string | undefined)[]
  seeds: number
  isWritten: boolean
}

interface Outcome {
  store: string
  seeds: number
  faults: number
  failed: readonly string[]
}

endWithStarter()
const wish = readWish()
if (typeof wish === 'string') {
  process.stderr.write(wish)
  process.exitCode = wish === USAGE ? 0 : 2
} else {
  const outcomes: Outcome[] = []
  for (const store of wish.stores) outcomes.push(await runSeeds(store, wish.seeds))
  if (wish.isWritten) writeFileSync(PAGE, page(outcomes))
  process.exitCode = outcomes.every(({ failed }) => failed.length === 0) ? 0 : 1
}

function readWish(): Wish | string {
  const { values } = parseArgs({
    options: {
      store: { type: 'string' },
      seeds: { type: 'string', default: '100' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return USAGE
  const names = STORE_SERVERS.map(({ name }) => name)
  if (values.store !== undefined && !names.includes(values.store))
    return `--store ${values.store} is none of ${names.join(', ')}\n${USAGE}`
  if (values.store !== undefined && values.write) return `--write is for all stores\n${USAGE}`
  const seeds = Number(values.seeds)
  if (!Number.isSafeInteger(seeds) || seeds < 1) return `--seeds ${values.seeds} is not a number of seeds\n${USAGE}`
  return {
    stores: values.store === undefined ? [undefined, ...names] : [values.store],
    seeds,
    isWritten: values.write,
  }
}

/** Resolves with what the last line of the fault runs says; rejects when they ended without it. */
async function runSeeds(store: string | undefined, seeds: number): Promise<Outcome> {
  const args = [join(import.meta.dirname, 'faults.ts'), '--seeds', String(seeds)]
  const child = spawn(process.execPath, store === undefined ? args : [...args, '--store', store], {
    stdio: ['inherit', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString()
    process.stdout.write(bytes)
  })
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  const [, faults, failed, names = ''] = /: (\d+) faults, (\d+) failed(?: \(([^)]*)\))?, \d+ s\n$/.exec(text) ?? []
  if (faults === undefined || (code === 0) !== (failed === '0'))
    throw new Error(`the fault runs over ${store ?? 'a folder'} ended with ${code} and without a result`)
  return {
    store: store ?? 'a folder',
    seeds,
    faults: Number(faults),
    failed: names.split(', ').filter((one) => one !== ''),
  }
}

function page(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(
    ({ store, seeds, faults, failed }) =>
      `| ${store} | 0 to ${seeds - 1} | ${faults} | ${failed.length === 0 ? 'none' : failed.join(', ')} |`,
  )
  return `# Faults over checkpoints in real systems

Written by \`npm run test:systems -- --write\`. What a run and a fault is: [testing-faults.md](../testing-faults.md).

| Checkpoints in | Seeds | Faults | Runs whose output was wrong |
|---|---|---|---|
${rows.join('\n')}
`
}
