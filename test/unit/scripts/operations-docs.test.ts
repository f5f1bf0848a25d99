import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { REASONS } from '../../../operator/kube/reasons.ts'
import { operationsPage } from '../../../scripts/operations-page.ts'
import { ROOT, sourceFiles } from '../../harness/source-files.ts'

test('when what the operator says of itself is printed, the page in docs/ is the same', async () => {
  const page = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8')
  expect(page, 'run: node cli/node.js scripts/operations-docs.ts').toBe(await operationsPage())
})

test('every reason that is explained is one that the operator gives', () => {
  const files = sourceFiles('operator').filter(({ path }) => path !== 'operator/kube/reasons.ts')
  const text = files.map((file) => file.text).join('\n')
  // A kind that the API server does not take makes its reason when it is met.
  const isGiven = (reason: string): boolean => text.includes(`'${reason}'`) || reason.endsWith('Refused')
  expect(Object.keys(REASONS).filter((reason) => !isGiven(reason))).toEqual([])
})

test('every explanation is a sentence', () => {
  const texts = Object.values<{ means: string; act?: string }>(REASONS).flatMap(({ means, act }) => [
    means,
    act ?? means,
  ])
  expect(texts.filter((text) => !/^[A-Z].*\.$/.test(text))).toEqual([])
})
