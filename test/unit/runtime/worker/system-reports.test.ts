import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import type { HttpClient } from '../../../../runtime/ports/http-client.ts'
import { connector as http } from '../../../../runtime/connectors/http/connector.ts'
import { declaration as httpDeclaration } from '../../../../runtime/connectors/http/declaration.ts'
import { fileEntry, loadedEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

test('when a service refuses its first call, the metrics of the job count it, the answered ones and all records', async () => {
  let calls = 0
  const httpClient: HttpClient = {
    send: () => Promise.resolve({ status: calls++ === 0 ? 503 : 200, body: '{}' }),
  }
  const job = new InProcessJob(
    {
      graph: [
        { id: 'in', source: { file: { path: 'in.jsonl', format: 'json' } }, schema: { n: 'long' } },
        { id: 'out', from: 'in', sink: { http: { url: 'http://service.test/rows' } } },
      ],
    },
    new Connectors([fileEntry, loadedEntry(httpDeclaration, http)]),
    { ...quietPorts(), httpClient },
  )
  cleanups.push(() => job.close())
  writeFileSync(
    join(job.folder, 'in.jsonl'),
    Array.from({ length: 10 }, (_, n) => `${JSON.stringify({ n })}\n`).join(''),
  )
  await job.start()
  await job.reportWith('finished', ({ phase }) => phase === 'finished')
  const metrics = await job.metrics()
  const values = new Map(
    [...metrics.matchAll(/^(millrace_operator_(?:records|calls)\S+) (\d+)$/gm)].map(([, name, value]) => [name, value]),
  )
  expect(Object.fromEntries(values)).toEqual({
    'millrace_operator_records_in_total{operator="in",subtask="in-0"}': '10',
    'millrace_operator_records_out_total{operator="in",subtask="in-0"}': '10',
    'millrace_operator_calls_total{operator="out",subtask="in-0",result="failed"}': '1',
    'millrace_operator_calls_total{operator="out",subtask="in-0",result="answered"}': String(calls - 1),
  })
})
