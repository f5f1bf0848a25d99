import { expect, test } from 'vitest'
import { differences } from '../../../../operator/druid/compare-spec.ts'
import { parseOverview } from '../../../../operator/druid/druid-answers.ts'
import { recorded, recordedJson } from '../../../harness/druid-fixtures.ts'

const list = recorded('supervisor-list-full').response.json as never

test('the recorded list of all supervisors has each with its state, and its specification as it is given alone', () => {
  const clicks = parseOverview(list).get('clicks')
  expect(clicks).toMatchObject({ state: 'RUNNING', detailedState: 'RUNNING', healthy: true, suspended: false })
  const alone = recordedJson('supervisor-get')
  expect(differences(alone, clicks?.spec ?? {})).toEqual([])
  expect(Object.keys(clicks?.spec ?? {}).sort()).toEqual(['context', 'spec', 'suspended', 'type'])
})

test.each<[string, unknown]>([
  ['no list', { error: 'x' }],
  ['nothing', undefined],
  ['entries that are no supervisors', ['clicks', null, { id: 7, spec: {} }, { id: 'clicks', spec: 'x' }]],
])('%s in place of that list has no supervisors', (_, json) => {
  expect(parseOverview(json as never).size).toBe(0)
})
