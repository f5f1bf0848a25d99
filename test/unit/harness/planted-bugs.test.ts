import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PLANTED_BUGS, planted } from '../../harness/simulation/planted-bugs.ts'
import { SCENARIOS } from '../../harness/simulation/scenarios.ts'

const ROOT = join(import.meta.dirname, '../../..')

test.each(Object.entries(PLANTED_BUGS))('the bug %s still applies to the source', (_, bug) => {
  const source = readFileSync(join(ROOT, bug.file), 'utf8')
  expect(planted(bug, source)).not.toBe(source)
})

test('an edit that no longer applies, or applies twice, is refused', () => {
  const bug = { what: 'none', file: 'a.ts', edits: [['one', 'two']] } as const
  expect(() => planted(bug, 'three')).toThrow('a.ts has 0 places that read "one", not one')
  expect(() => planted(bug, 'one one')).toThrow('a.ts has 2 places')
})

test('every bug is looked for by some scenario', () => {
  expect(new Set(SCENARIOS.flatMap(({ finds }) => Object.keys(finds)))).toEqual(new Set(Object.keys(PLANTED_BUGS)))
})
