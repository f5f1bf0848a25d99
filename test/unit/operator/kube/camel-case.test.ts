import { expect, test } from 'vitest'
import { camelCase } from '../../../../operator/kube/camel-case.ts'

test.each([
  ['CHECKPOINT_STORE_UNAVAILABLE', 'CheckpointStoreUnavailable'],
  ['WORKER_2_LOST', 'Worker2Lost'],
  ['a new state', 'ANewState'],
  ['', 'Unknown'],
])('the code %j as a reason is %s', (code, reason) => {
  expect(camelCase(code)).toBe(reason)
})
