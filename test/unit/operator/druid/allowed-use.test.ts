import { expect, test } from 'vitest'
import { druidsOf } from '../../../../operator/config.ts'
import type { AllowedUse } from '../../../../operator/druid/allowed-use.ts'
import { useProblem } from '../../../../operator/druid/allowed-use.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const clicks = sampleDatasource()

function uses(...pairs: [namespace: string, datasource: string][]): AllowedUse[] {
  return pairs.map(([namespace, datasource]) => ({ namespaces: [namespace], datasources: [datasource] }))
}

test.each<[string, AllowedUse[], boolean]>([
  ['without rules, everybody', [], true],
  ['its namespace and its name', uses(['shop', 'clicks']), true],
  ['its namespace and the beginning of its name', uses(['shop', 'cli*']), true],
  ['the beginning of its namespace', uses(['sh*', '*']), true],
  ['a second rule', uses(['bank', '*'], ['shop', 'clicks']), true],
  ['another namespace', uses(['bank', '*']), false],
  ['a name that only begins like a longer rule', uses(['shop', 'clicks-of-bank']), false],
  ['a name that is longer than an exact rule', uses(['shop', 'click']), false],
  ['the namespace by one rule and the name by another', uses(['shop', 'orders'], ['bank', 'clicks']), false],
])('a Druid that allows %s is usable: %s', (_, allowed, usable) => {
  expect(useProblem('main', allowed, clicks) === undefined).toBe(usable)
})

test('a refusal has both values and does not show the rules of others', () => {
  const problem = useProblem('main', uses(['shop', 'orders-*'], ['bank', 'payroll']), clicks)
  expect(problem?.message).toBe("namespace 'shop' may use its datasources orders-* of Druid 'main', not 'clicks'")
  expect(problem?.hint).toContain('druids.main.allowed')
  expect(JSON.stringify(problem)).not.toContain('payroll')
})

test('the datasource in Druid counts, not the name of the resource', () => {
  const renamed = sampleDatasource({ dataSource: 'payroll' })
  expect(useProblem('main', uses(['shop', 'clicks']), renamed)?.path).toBe('spec.dataSource')
})

test('lookups, which are those of the whole Druid, need names that the namespace may use', () => {
  const named = sampleDatasource({
    lookups: [
      { name: 'clicks-of', map: {} },
      { name: 'salaries', map: {} },
    ],
  })
  expect(useProblem('main', uses(['shop', 'clicks*'], ['bank', 'salaries']), named)).toMatchObject({
    path: 'spec.lookups[1].name',
    message: "namespace 'shop' may name lookups of Druid 'main' as its datasources clicks*, not 'salaries'",
  })
  expect(useProblem('main', uses(['shop', '*']), named)).toBeUndefined()
  expect(useProblem('main', [], named)).toBeUndefined()
})

test.each<[string, unknown]>([
  ['no list', { namespaces: ['a'], datasources: ['b'] }],
  ['a rule without datasources', [{ namespaces: ['a'] }]],
  ['a rule with an empty list', [{ namespaces: [], datasources: ['b'] }]],
  ['a misspelt member', [{ namespaces: ['a'], datasources: ['b'], datasource: ['c'] }]],
  ['a star within a name', [{ namespaces: ['a*b'], datasources: ['b'] }]],
  ['a number', [{ namespaces: [1], datasources: ['b'] }]],
])('a configuration with %s among allowed is refused', (_, allowed) => {
  const text = JSON.stringify({ main: { routerUrl: 'http://r:8888', allowed } })
  expect(() => druidsOf(text)).toThrow(/druids has .* among allowed of "main"/)
})

test('a configuration with a misspelt member of a Druid is refused, since it may have been meant as a bound', () => {
  const text = JSON.stringify({ main: { routerUrl: 'http://r:8888', allow: [] } })
  expect(() => druidsOf(text)).toThrow(/"allow" for "main"/)
})
