import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { lintText } from '../../../cli/lint.ts'
import { builtinConnectors } from '../../../runtime/builtin-connectors.ts'

const EXAMPLES = new URL('../../../examples/', import.meta.url)

test('every example job passes lint with the real connectors', () => {
  const jobs = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => ({ name, text: readFileSync(new URL(name, EXAMPLES), 'utf8') }))
    .filter(({ text }) => /^kind: StreamJob$/m.test(text))
  expect(jobs.flatMap(({ name, text }) => lintText(name, text, builtinConnectors).findings)).toEqual([])
})

test('a job over every connector passes lint, and a wrong option of each is named', () => {
  const job = (extra: string): string => `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: all }
spec:
  graph:
    - { id: bids, source: { nexmark: { events: 1000, rate: 5000/s${extra} } }, eventTime: { field: dateTime } }
    - { id: lines, source: { file: { path: in.jsonl, format: json, rate: 10x${extra} } }, schema: { at: timestamp, v: long }, eventTime: { field: at } }
    - { id: topic, source: { kafka: { brokers: "kafka:9092", topic: in, format: json${extra} } }, schema: { at: timestamp, v: long } }
    - { id: out-a, from: bids, sink: { console: {${extra.slice(1)} } } }
    - { id: out-b, from: lines, sink: { file: { path: out, format: json${extra} } } }
    - { id: out-c, from: topic, sink: { kafka: { brokers: "kafka:9092", topic: out, format: json${extra} } } }
`
  expect(lintText('job.yaml', job(''), builtinConnectors).findings).toEqual([])
  expect(
    lintText('job.yaml', job(', nonsense: 1'), builtinConnectors).findings.map((finding) => [
      finding.code,
      finding.path,
    ]),
  ).toEqual([
    ['OPTION_INVALID', 'spec.graph[0].source.nexmark.nonsense'],
    ['OPTION_INVALID', 'spec.graph[1].source.file.nonsense'],
    ['OPTION_INVALID', 'spec.graph[2].source.kafka.nonsense'],
    ['OPTION_INVALID', 'spec.graph[3].sink.console.nonsense'],
    ['OPTION_INVALID', 'spec.graph[4].sink.file.nonsense'],
    ['OPTION_INVALID', 'spec.graph[5].sink.kafka.nonsense'],
  ])
})
