import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../../../harness/source-files.ts'

const SPEC = {
  graph: [
    { id: 'in', source: { kafka: { brokers: 'k:9092', topic: 't' } }, schema: { n: 'long' } },
    { id: 'out', from: 'in', sink: { druid: { datasource: 'd' } } },
    { id: 'print', from: 'in', sink: 'console' },
  ],
}

/** Runs in a process of its own; prints the files that it had loaded after each step. */
const SCRIPT = `
  import { registerHooks } from 'node:module'
  const loaded = []
  registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
  const { builtinConnectors } = await import('./runtime/builtin-connectors.ts')
  const { planJob } = await import('./runtime/front/planned-job.ts')
  planJob(${JSON.stringify(SPEC)}, builtinConnectors)
  const planned = [...loaded]
  await builtinConnectors.sink('console', {})
  console.log(JSON.stringify({ planned, opened: loaded.slice(planned.length) }))
`

test('when a process plans a job, no connector is loaded, and when it opens a sink, only that one is', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', SCRIPT], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  const { planned, opened } = JSON.parse(stdout) as { planned: string[]; opened: string[] }
  const code = /\/connectors\/[^/]+\/(?:connector\.ts|real\/|virtual\/)|node_modules\/@platformatic/
  expect(planned.some((url) => url.endsWith('/connectors/kafka/declaration.ts'))).toBe(true)
  expect(planned.filter((url) => code.test(url))).toEqual([])
  expect(opened.filter((url) => code.test(url))).toEqual([
    `file://${join(ROOT, 'runtime/connectors/console/connector.ts')}`,
  ])
})
