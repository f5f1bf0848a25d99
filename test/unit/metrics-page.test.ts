import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, sourceFiles } from '../harness/source-files.ts'

/** Every object literal that names and types a metric. */
const DECLARED =
  /\bname: '(millrace_\w+)',\s*type: '(counter|gauge)',\s*help: '[^']+',(?:\s*scope: '(subtask|operator)',)?/g
/** The operator's process declares its metrics as those of the client library. */
const OF_CLIENT = /new (Counter|Gauge|Histogram)\(\{\s*name: '(millrace_\w+)',/g
const READ_WHEN_SCRAPED = /\bmetrics\.gauge\('(\w+)'/g

const LABELS: Readonly<Record<string, string>> = { subtask: '`operator`, `subtask`', operator: '`operator`' }

function matchesIn(folder: string, pattern: RegExp): RegExpExecArray[] {
  return sourceFiles(folder).flatMap((file) => [...file.text.matchAll(pattern)])
}

/** The rows of a table under a heading, without the column of the meaning. */
function pageRows(heading: string, columns: number): string[] {
  const page = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')
  const section = page.split('\n## ').find((text) => text.startsWith(heading)) ?? ''
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `millrace_'))
    .map((line) =>
      line
        .split('|')
        .slice(1, columns + 1)
        .map((cell) => cell.trim())
        .join(' | '),
    )
}

test('the page lists every metric of a job that the runtime declares, with type and labels', () => {
  const declared = matchesIn('runtime', DECLARED).map(
    ([, name, type, scope]) => `\`${name}\` | ${type} | ${scope === undefined ? '' : LABELS[scope]}`,
  )
  expect(declared.length).toBeGreaterThan(15)
  expect(pageRows('A job', 3).sort()).toEqual(declared.sort())
})

test('every name of a metric in the runtime is one of those declarations', () => {
  const named = matchesIn('runtime', /'(millrace_(?:job|operator)_\w+)'/g).map(([, name]) => name)
  expect(named.sort()).toEqual(
    matchesIn('runtime', DECLARED)
      .map(([, name]) => name)
      .sort(),
  )
})

test('the page lists every metric that the operator declares, with its type', () => {
  const declared = [
    ...matchesIn('operator', OF_CLIENT).map(([, kind, name]) => `\`${name}\` | ${kind?.toLowerCase()}`),
    ...matchesIn('operator', READ_WHEN_SCRAPED).map(([, name]) => `\`millrace_operator_${name}\` | gauge`),
  ]
  expect(declared.length).toBeGreaterThan(5)
  expect(pageRows('The operator', 2).sort()).toEqual(declared.sort())
})
