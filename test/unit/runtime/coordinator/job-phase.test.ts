import { expect, test } from 'vitest'
import { nextPhase } from '../../../../runtime/coordinator/job-phase.ts'

test('a legal step gives the new phase, and staying is legal', () => {
  expect(nextPhase('waiting', 'deploying')).toBe('deploying')
  expect(nextPhase('running', 'running')).toBe('running')
})

test.each([
  ['waiting', 'running'],
  ['finished', 'running'],
  ['suspended', 'running'],
  ['running', 'deploying'],
] as const)('the illegal step from %s to %s is refused', (from, to) => {
  expect(() => nextPhase(from, to)).toThrow(/cannot go from/)
})
