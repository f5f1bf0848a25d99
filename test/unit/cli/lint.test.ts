import { expect, test } from 'vitest'
import { lint } from '../../../cli/lint.ts'
import { BIDS, CHECKS } from '../runtime/plan/sample-job.ts'

const JOB = `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: bids }
spec:${BIDS.replaceAll('\n', '\n  ').trimEnd()}
`

async function run(
  files: Record<string, string>,
  output: 'text' | 'json' = 'text',
  names = Object.keys(files),
): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' }
  const code = await lint(
    names,
    { output, connectors: CHECKS },
    {
      readText: async (path) => files[path] ?? Promise.reject(new Error(`ENOENT: no such file ${path}`)),
      out: (text) => {
        said.out += text
      },
      err: (text) => {
        said.err += text
      },
    },
  )
  return { code, ...said }
}

test('a sound job passes and what was read is said', async () => {
  expect(await run({ 'job.yaml': JOB })).toEqual({ code: 0, out: '', err: '1 file read, 1 job, 0 errors\n' })
})

test('an unknown column is shown with file, line, column, code, path, what was meant, and a caret', async () => {
  const { code, out } = await run({ 'job.yaml': JOB.replace('filter: price', 'filter: prcie') })
  expect(code).toBe(1)
  expect(
    out,
  ).toBe(`job.yaml:14:15 error UNKNOWN_FIELD spec.graph[1].filter: there is no field "prcie"; did you mean "price"?
  14 |       filter: prcie > 100 && channel !== 'test'
     |               ^
`)
})

test('findings of a file come in the order of its lines', async () => {
  const { out } = await run(
    {
      'job.yaml': JOB.replace('> 100', '== 100')
        .replace('from: hot', 'from: hto')
        .replace('interval: 5s', 'interval: 5'),
    },
    'json',
  )
  const { files, jobs, findings } = JSON.parse(out) as {
    files: number
    jobs: number
    findings: { line: number; code: string; severity: string }[]
  }
  expect({ files, jobs }).toEqual({ files: 1, jobs: 1 })
  expect(findings.map((finding) => [finding.line, finding.code])).toEqual([
    [6, 'DURATION_INVALID'],
    [14, 'EXPRESSION_FORBIDDEN'],
    [15, 'OPERATOR_UNUSED'],
    [21, 'UNKNOWN_INPUT'],
  ])
})

test('bad YAML is a finding with its place', async () => {
  const { code, out } = await run({ 'job.yaml': `${JOB}\n }` })
  expect(code).toBe(1)
  expect(out).toContain('error YAML_SYNTAX')
})

test('no file and an unreadable file are no success', async () => {
  expect(await run({})).toMatchObject({ code: 2 })
  expect(await run({}, 'text', ['none.yaml'])).toMatchObject({
    code: 2,
    err: 'cannot read none.yaml: ENOENT: no such file none.yaml\n0 files read, 0 jobs, 0 errors\n',
  })
})

test('control characters of a file do not reach the terminal', async () => {
  const { out } = await run({ 'job.yaml': JOB.replace('from: hot', 'from: "\\e[31mhot" # \u009b31m') })
  expect(out).not.toMatch(/[\u001b\u009b]/)
})

test('a warning is shown and counted, and the job passes', async () => {
  const job = JOB.replace(
    /    - id: out[^]*/,
    `    - id: both
      from: [bids, hot]
      join: { keyBy: auction, select: { price: bids.price } }
    - id: out
      from: both
      sink: console
`,
  )
  const { code, out, err } = await run({ 'job.yaml': job })
  expect(out).toMatch(
    /^job\.yaml:\d+:\d+ warning JOIN_UNBOUNDED spec\.graph\[3\]\.join: keeps every row of both sides for ever/,
  )
  expect({ code, err }).toEqual({ code: 0, err: '1 file read, 1 job, 0 errors, 1 warning\n' })
})

test('findings of a module may lie in another file, whose line is shown, and other files are read', async () => {
  let out = ''
  const at = { file: 'helper.ts', line: 2, column: 7, severity: 'error', path: '' } as const
  const code = await lint(
    ['a.ts', 'job.yaml'],
    { output: 'text', connectors: CHECKS },
    {
      readText: async (path) => (path === 'helper.ts' ? 'first\nthrow new Error()' : JOB),
      moduleFindings: (path) =>
        path === 'a.ts' ? Promise.resolve([{ ...at, code: 'MODULE_THROWS', message: 'boom' }]) : undefined,
      out: (text) => {
        out += text
      },
      err: (text) => {
        out += text
      },
    },
  )
  expect(code).toBe(1)
  expect(out).toBe(
    'helper.ts:2:7 error MODULE_THROWS boom\n  2 | throw new Error()\n    |       ^\n2 files read, 2 jobs, 1 error\n',
  )
})
