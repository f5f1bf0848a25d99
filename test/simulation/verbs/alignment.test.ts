import { expect, test } from 'vitest'
import { twoPaces } from '../../harness/simulation/alignment-job.ts'
import { wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'

test('a source that is faster waits for the other of its group, killed and rescaled, and every row comes once', async () => {
  expect(await wrongVerbSeeds(twoPaces('aligned'), 4)).toEqual([])
})

test('without alignment it runs ahead as far as there is to read', async () => {
  expect(await wrongVerbSeeds(twoPaces('free'), 1)).toEqual([expect.stringMatching(/ms ahead/)])
})
