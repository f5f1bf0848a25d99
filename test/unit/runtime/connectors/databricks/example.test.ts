import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { readJobFile } from '../../../../../runtime/front/job-file.ts'
import { connector } from '../../../../../runtime/connectors/databricks/connector.ts'
import { declaration } from '../../../../../runtime/connectors/databricks/declaration.ts'
import { Connectors } from '../../../../../runtime/connectors/registry.ts'
import { fileEntry, loadedEntry, nexmarkEntry } from '../../../../harness/connector-entries.ts'
import { CLIENT, FakeDatabricks, WAREHOUSE } from '../../../../harness/databricks/fake-databricks.ts'
import { serve } from '../../../../harness/databricks/fake-server.ts'
import { InProcessJob } from '../../../../harness/in-process-job.ts'
import { linesOf } from '../../../../harness/local-runs.ts'
import { ROOT } from '../../../../harness/source-files.ts'
import { until } from '../../../../harness/until.ts'

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const connectors = new Connectors([loadedEntry(declaration, connector), nexmarkEntry, fileEntry])

/** A job of the tour against the fake, over HTTP; its texts are changed as `changes` say. */
async function tourJob(
  name: string,
  fake: FakeDatabricks,
  changes: readonly (readonly [string | RegExp, string])[],
): Promise<InProcessJob> {
  const server = await serve(fake)
  cleanups.push(() => server.close())
  const secrets = mkdtempSync(join(tmpdir(), 'millrace-databricks-'))
  cleanups.push(() => {
    rmSync(secrets, { recursive: true })
  })
  writeFileSync(join(secrets, 'secret'), CLIENT.secret)
  const own: readonly (readonly [string | RegExp, string])[] = [
    [/https:\/\/dbc-[\w.-]+/g, server.url],
    [/clientId: [\w-]+/g, `clientId: ${CLIENT.id}`],
    [/\/secrets\/databricks/g, secrets],
    [/warehouse: \w+/g, `warehouse: ${WAREHOUSE}`],
  ]
  const text = [...own, ...changes].reduce(
    (changed, [from, to]) => changed.replaceAll(from, to),
    readFileSync(join(ROOT, 'examples/tour', name), 'utf8'),
  )
  const job = new InProcessJob(readJobFile(text).spec as object, connectors)
  mkdirSync(job.folder, { recursive: true })
  cleanups.push(() => job.close())
  await job.start()
  return job
}

function bigint(name: string) {
  return { name, type: 'bigint', nullable: false }
}

test('the example of the tour fills both tables exactly, though workers end and answers get lost', async () => {
  const fake = new FakeDatabricks()
  fake.folders.add('/Volumes/main/auctions/staging')
  const bids = fake.addTable('main.auctions.bids', [
    ...['auction', 'bidder', 'price'].map(bigint),
    { name: 'at', type: 'timestamp', nullable: true },
  ])
  const auctions = fake.addTable('main.auctions.per_auction', ['auction', 'bids', 'dearest'].map(bigint))
  const job = await tourJob('databricks.yaml', fake, [
    ['interval: 1m', 'interval: 100ms'],
    ['events: 20000', 'events: 20000, rate: 15000/s'],
  ])
  await until('some bids are there', () => bids.newest.rows.length > 0 || undefined)
  fake.mishaps.push('lost answer', undefined, 'lost call', undefined, undefined, 'busy')
  fake.statementMishaps.push('slow and lost', 'lost answer')
  for (const id of [...job.workers.keys()]) await job.replaceWorker(id)
  await job.reportWith('finished or failed', ({ phase }) => phase === 'finished' || phase === 'failed')
  expect(job.report()).toMatchObject({ error: null, phase: 'finished' })
  expect(job.report().attempt).toBeGreaterThan(1)
  const perAuction = new Map<unknown, { bids: number; dearest: number }>()
  for (const { auction, price } of bids.newest.rows) {
    const known = perAuction.get(auction) ?? { bids: 0, dearest: 0 }
    perAuction.set(auction, { bids: known.bids + 1, dearest: Math.max(known.dearest, Number(price)) })
  }
  // 46 of 50 events are bids
  expect(bids.newest.rows).toHaveLength((20_000 / 50) * 46)
  const found = auctions.newest.rows.map(({ auction, ...counts }) => [auction, counts] as const)
  expect(new Map(found)).toEqual(perAuction)
  expect(found).toHaveLength(perAuction.size)
})

test('the example of the tour that reads changes gives each of them once', async () => {
  const fake = new FakeDatabricks()
  const auctions = fake.addTable('main.auctions.per_auction', ['auction', 'bids', 'dearest'].map(bigint))
  const row = (auction: number, bids: number) => ({ auction, bids, dearest: 7 })
  auctions.change([1, 2, 3, 4, 5].map((n) => ({ type: 'insert', row: row(n, 1) })))
  const job = await tourJob('databricks-changes.yaml', fake, [
    ['every: 1m', 'every: 1s'],
    ['spec:', 'spec:\n  checkpoints: { interval: 100ms }'],
    ['sink: console', 'sink: { file: { path: out, format: json } }'],
  ])
  await job.reportWith('behind the snapshot', ({ recordsOut }) => recordsOut >= 5)
  auctions.change([
    { type: 'update_preimage', row: row(1, 1) },
    { type: 'update_postimage', row: row(1, 2) },
    { type: 'delete', row: row(5, 1) },
  ])
  const rows = await until('the changes are there', () => {
    const lines = linesOf(join(job.folder, 'out'))
    return lines.length >= 7 ? lines.map((line) => JSON.parse(line) as object) : undefined
  })
  expect(rows).toEqual([
    ...[1, 2, 3, 4, 5].map((n) => ({ ...row(n, 1), change: 'insert', version: 1 })),
    { ...row(5, 1), change: 'delete', version: 2 },
    { ...row(1, 2), change: 'update_postimage', version: 2 },
  ])
})
