import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { inspectSavepoint } from '../../cli/inspect-savepoint.ts'
import { lintText } from '../../cli/lint.ts'
import { builtinConnectors } from '../../runtime/builtin-connectors.ts'
import { VirtualKafka } from '../../runtime/connectors/kafka/virtual/cluster.ts'
import { Connectors } from '../../runtime/connectors/registry.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import { describeWithCauses } from '../../runtime/model/errors.ts'
import { fileEntry, kafkaEntry } from '../harness/connector-entries.ts'
import { InProcessJob } from '../harness/in-process-job.ts'
import { countsSpec, OperatorWorld } from '../harness/operator-world.ts'
import { quietPorts } from '../harness/source-context.ts'

/** A secret that is looked for wherever somebody may read. */
const CANARY = 'canary-5e1f'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  delete process.env['MILLRACE_CANARY_PASSWORD']
})

/** Keeps every line as a log would print it, debugging among them. */
function keepingLogger(lines: string[]): Logger {
  const write = (message: string, fields: object = {}): void => {
    const shown = Object.entries(fields).map(([name, value]: [string, unknown]) => [
      name,
      value instanceof Error ? describeWithCauses(value) : value,
    ])
    lines.push(`${message} ${JSON.stringify(shown)}`)
  }
  const logger: Logger = { debug: write, info: write, warn: write, error: write, with: () => logger }
  return logger
}

const FUNCTIONS = `
export const refuse = (row) => {
  if (row.n % 3 === 0) throw new Error('cannot call the service with {"token":"' + row.token + '"}', { cause: new Error('password=' + row.token) })
  return row
}
`

interface Run {
  job: InProcessJob
  lines: string[]
}

/** A job whose password, environment and records hold the canary, and whose function puts it into its errors. */
async function startedJob(onError: unknown): Promise<Run> {
  const lines: string[] = []
  const kafka = new VirtualKafka()
  kafka.createTopic('out', 1)
  process.env['MILLRACE_CANARY_PASSWORD'] = CANARY
  const job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      modules: { own: { path: './own.mjs' } },
      graph: [
        {
          id: 'in',
          source: { file: { path: 'in.jsonl', format: 'json', rate: '200/s' } },
          schema: { n: 'long', token: 'string' },
          onError: onError === undefined ? 'skip' : { deadLetter: { file: { path: 'letters' } } },
        },
        {
          id: 'called',
          from: 'in',
          map: { module: 'own', function: 'refuse', output: { n: 'long', token: 'string' } },
          ...(onError === undefined ? {} : { onError }),
        },
        {
          id: 'out',
          from: 'called',
          sink: {
            kafka: { brokers: 'k:9092', topic: 'out', tls: true, sasl: { username: 'u', passwordFile: 'password' } },
          },
        },
      ],
    },
    new Connectors([fileEntry, kafkaEntry((options) => kafka.connect(options))]),
    { ...quietPorts(), secretFiles: { read: readSecret }, logger: keepingLogger(lines) },
  )
  cleanups.push(() => job.close())
  const records = Array.from({ length: 40 }, (_, n) =>
    n === 1 ? `{"token":"${CANARY}","n":` : JSON.stringify({ n, token: CANARY }),
  )
  writeFileSync(join(job.folder, 'in.jsonl'), `${records.join('\n')}\n`)
  writeFileSync(join(job.folder, 'own.mjs'), FUNCTIONS)
  await job.start()
  return { job, lines }
}

function readSecret(path: string): Promise<string> {
  return path === 'password'
    ? Promise.resolve(CANARY)
    : Promise.reject(Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' }))
}

/** Every manifest and entry of the job's log; state files hold rows, as they must. */
function manifestsOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('manifest.json') || name.includes('/log/'))
    .map((name) => readFileSync(join(folder, name), 'latin1'))
}

/** Status and Events that an operator makes of a report. */
async function shownByOperator({ job }: Run): Promise<string> {
  const world = new OperatorWorld()
  await world.create(countsSpec())
  await world.untilRunning()
  const { error, losses, phase } = job.report()
  Object.assign(world.coordinatorReport(), { error, losses, ...(phase === 'failed' ? { phase } : {}) })
  for (let pass = 0; pass < 3; pass += 1) await world.pass()
  return JSON.stringify([world.job()?.status, [...world.kube.objects.values()].filter(({ kind }) => kind === 'Event')])
}

describe('a secret in a Secret, in the environment and in records', () => {
  test('when records are left out because of it, is in no log, report, status, Event, reason, metric or manifest', async () => {
    const run = await startedJob({ deadLetter: { file: { path: 'letters' } } })
    const { job, lines } = run
    const { path } = await job.savepoint('sp-1')
    await job.reportWith('finished', ({ phase }) => phase === 'finished')
    const letters = readFileSync(join(job.folder, 'letters'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { where: string; reason: string; record: string })
    // the record itself is kept as it was
    expect(letters.filter(({ record }) => record.includes(CANARY))).toHaveLength(letters.length)
    expect(letters.length).toBeGreaterThan(10)
    expect(job.report().losses).toHaveLength(2)
    let inspected = ''
    await inspectSavepoint(join(job.folder, 'store', 'job', path), 'json', (text) => {
      inspected += text
    })
    const manifests = manifestsOf(join(job.folder, 'store'))
    expect(manifests.length).toBeGreaterThan(3)
    const shown: Record<string, string> = {
      logs: lines.join('\n'),
      report: JSON.stringify(job.report()),
      operator: await shownByOperator(run),
      reasons: letters.map(({ where, reason }) => `${where} ${reason}`).join('\n'),
      metrics: await job.metrics(),
      manifests: manifests.join('\n'),
      inspected,
    }
    for (const [place, text] of Object.entries(shown)) {
      expect(text.length, place).toBeGreaterThan(100)
      expect(text, place).not.toContain(CANARY)
    }
  })

  test('when the job fails because of it, is in no log, report, status or Event', async () => {
    const run = await startedJob(undefined)
    await run.job.reportWith('failing', ({ error }) => error !== null)
    expect(run.job.report().error?.code).toBe('RECORD_REFUSED')
    const shown = [run.lines.join('\n'), JSON.stringify(run.job.report()), await shownByOperator(run)]
    for (const text of shown) {
      expect(text).toContain('cannot call the service')
      expect(text).not.toContain(CANARY)
    }
  })

  test.each([
    ['as a password in the spec', `sasl: { username: u, password: ${CANARY} }`],
    ['as the path of a password', `sasl: { username: u, passwordFile: { value: ${CANARY} } }`],
    ['in the address of a broker', `brokers: "u:${CANARY}@k:9092"`],
    ['in the address of a registry', `format: { avro: { registry: "ftp://u:${CANARY}@registry" } }`],
    ['as a format', `format: "http://u:${CANARY}@k:9092"`],
    ['as an option of a format', `format: { csv: { delimiter: "u:${CANARY}@k:9092" } }`],
    ['in place of a flag of a format', `format: { csv: { header: "u:${CANARY}@k:9092" } }`],
    ['in the address of a registry over HTTP', `format: { avro: { registry: "http://u:${CANARY}@registry" } }`],
  ])('when it is written %s, lint names the place and not the secret', (_what, option) => {
    const job = `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: all }
spec:
  graph:
    - { id: in, source: { nexmark: { events: 10 } }, eventTime: { field: dateTime } }
    - { id: out, from: in, sink: { kafka: { ${option.startsWith('brokers') ? '' : 'brokers: "k:9092", '}topic: t, ${option} } } }
`
    const { findings } = lintText('job.yaml', job, builtinConnectors)
    expect(findings.length).toBeGreaterThan(0)
    expect(JSON.stringify(findings)).not.toContain(CANARY)
  })
})
