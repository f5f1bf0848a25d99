import { describe, expect, test } from 'vitest'
import { fuzzedDecoders } from '../harness/fuzz/decoders.ts'
import { fuzz } from '../harness/fuzz/fuzz-run.ts'

/** As much of the long run, `npm run test:fuzz`, as fits here. */
const MUTATIONS = 400
/** Only what never ends: how long the rest takes is a matter of the machine. */
const PATIENCE_MS = 15_000

const decoders = await fuzzedDecoders()

describe('whatever is done to the bytes of a sample', () => {
  test.each(decoders)(
    '$name ends with a value or a MillraceError, within 256 MB',
    async ({ name, decode, samples }) => {
      for (const sample of samples) await decode(Buffer.from(sample))
      const { failures, refused } = await fuzz({
        decoder: name,
        seed: 1,
        first: 0,
        mutations: MUTATIONS,
        patienceMs: PATIENCE_MS,
      })
      expect(failures).toEqual([])
      if (name !== 'raw') expect(refused).toBeGreaterThan(MUTATIONS / 20)
    },
  )
})
