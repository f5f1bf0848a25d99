import { describe, expect, test } from 'vitest'
import { STORIES } from '../../harness/certification/all-stories.ts'
import { knownFor } from '../../harness/certification/known.ts'
import { mishapsOf } from '../../harness/certification/mishaps.ts'

/** As much of the long run, `npm run test:crash`, as fits here: one call for every other mishap, in every story. */
const chosen = (seed: number) => (points: number) => (points === 0 ? [] : [(seed * 7) % points])

describe('a call of the operator', () => {
  for (const [storyNr, story] of STORIES.entries())
    test(`that meets a mishap, in ${story.name}, changes neither what is done nor what is told of it`, async () => {
      const wrong: unknown[] = []
      for (const [mishapNr, mishap] of mishapsOf(story.peers).entries()) {
        if ((storyNr + mishapNr) % 2 === 1) continue
        const verdict = await story.certify(mishap, chosen(storyNr * 3 + mishapNr * 5))
        for (const difference of verdict.differences)
          if (knownFor(verdict, difference) === undefined) wrong.push({ mishap: mishap.name, ...difference })
      }
      expect(wrong).toEqual([])
    })
})
