import { describe, expect, test } from 'vitest'
import { jobEdits, wrongOf } from '../../harness/field-edits/edited-job.ts'

/** As much of the long run, `npm run test:fields`, as fits here: every fifth edit, and a few chains. */
const EDITS = jobEdits()

describe('an edit of one field of a StreamJob, and back', () => {
  test('is followed as by a new job or refused with a reason, and leaves nothing behind', async () => {
    const wrong: string[] = []
    for (const edit of EDITS.filter((_, nr) => nr % 5 === 0)) wrong.push(...(await wrongOf([edit])))
    expect(wrong).toEqual([])
    expect(EDITS.length).toBeGreaterThan(100)
  })

  test('overtaken by two others ends where the last one leads', async () => {
    const wrong: string[] = []
    for (let nr = 0; nr < 10; nr += 1) {
      const chain = [7 * nr, 11 * nr + 3, 13 * nr + 5].flatMap((at) => EDITS[at % EDITS.length] ?? [])
      wrong.push(...(await wrongOf(chain)))
    }
    expect(wrong).toEqual([])
  })
})
