import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { KuduClient } from '../../runtime/connectors/kudu/client.ts'
import { unreachable } from '../../runtime/connectors/kudu/errors.ts'
import { connectKudu } from '../../runtime/connectors/kudu/real/client.ts'
import { openKuduStore } from '../../runtime/connectors/kudu/store/open-kudu-store.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { realRng } from '../../runtime/ports/real/rng.ts'
import { type KuduBed, kuduBedMissing, startKudu } from '../harness/beds/kudu-bed.ts'
import { createKuduTable } from '../harness/beds/kudu-tables.ts'
import { rowStoreSuite, type Through } from '../harness/row-store-suite.ts'
import { ROOT } from '../harness/source-files.ts'
import { expectExactThroughKills, expectStoreRefused } from '../harness/stored-job.ts'

const why = kuduBedMissing()
const LONG_MS = 240_000
const TABLE = 'millrace_state'
const ENVIRONMENT = { clock: realClock, rng: realRng }

/** The argument of `kudu table create` in the documentation. */
function documentedTable(): string {
  const [, table = ''] = /kudu table create \S+ '([^']+)'/.exec(readFileSync(join(ROOT, 'docs/kudu.md'), 'utf8')) ?? []
  return table
}

describe.skipIf(why !== undefined)(`checkpoints in Kudu${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-kudu-store-'))
  const clients: KuduClient[] = []
  let kudu: KuduBed

  beforeAll(async () => {
    kudu = await startKudu({ dir: join(dir, 'kudu'), tabletServers: 3 })
    await kudu.command('table', 'create', kudu.masters, documentedTable())
  }, LONG_MS)
  afterAll(async () => {
    for (const client of clients) await client.close()
    await kudu?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function client(): KuduClient {
    const masters = kudu.masters.split(',')
    const connected = connectKudu({
      masters,
      user: 'me',
      clock: realClock,
      idleConnections: 'hold the process',
      clientId: realRng.id(),
    })
    clients.push(connected)
    return connected
  }

  /** A client whose reads and writes go through `call`. */
  function around(real: KuduClient, call: Through): KuduClient {
    return {
      masters: real.masters,
      openTable: (name) => real.openTable(name),
      tablets: (table, look) => real.tablets(table, look),
      newWrite: (tablet, operations) => real.newWrite(tablet, operations),
      now: (table, tablet) => real.now(table, tablet),
      write: (table, write) => call(() => real.write(table, write)),
      openScan: (table, scan) => call(() => real.openScan(table, scan)),
      close: () => real.close(),
    }
  }

  rowStoreSuite({
    open: (prefix, through = (act) => act()) =>
      openKuduStore({ table: TABLE, prefix }, around(client(), through), ENVIRONMENT),
    lost: (reason) => unreachable('flaky', new Error(reason)),
    inlineBytes: 16_000,
    partBytes: 60_000,
    listed: 10_000,
  })

  test(
    'a job killed with SIGKILL and resumed, and tablet servers killed in turn, lose and repeat no row',
    async () => {
      await expectExactThroughKills(
        join(dir, 'job'),
        `kudu://${kudu.masters}/${TABLE}/jobs`,
        kudu.tabletServers.map((server) => ({ ...server, isReplicated: true })),
      )
    },
    LONG_MS,
  )

  test.each([
    ['a table that does not exist', 'absent', 'has no table "absent"'],
    ['a table of other columns', 'other', 'has no column path'],
  ])(
    'a job whose state is to be kept in %s says so, and so does millrace doctor',
    async (_what, table, words) => {
      if (table === 'other') await createKuduTable(kudu, 'other', { columns: { id: 'INT64' }, keys: ['id'] })
      await expectStoreRefused(join(dir, table), `kudu://${kudu.masters}/${table}`, words)
    },
    LONG_MS,
  )
})
