import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { JobFolder } from '../harness/job-folder.ts'
import { startMillrace } from '../harness/processes.ts'

describe('millrace sim', () => {
  let folder: JobFolder

  beforeEach(() => {
    folder = new JobFolder(60)
    folder.writeJob(folder.spec(1, { interval: '10s' }))
  })
  afterEach(() => {
    folder.delete()
  })

  test('when every seed gives the same output it ends with 0 and says how many, for programs too', async () => {
    const { code, stdout, stderr } = await startMillrace('sim', folder.jobFile, '--seeds', '3', '-o', 'json').ended
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ job: 'hot-auctions', seeds: 3, rowsIn: 180, wrong: [] })
  })

  test('when one seed is asked for, all that happens in it is told', async () => {
    const { code, stdout, stderr } = await startMillrace('sim', folder.jobFile, '--seed', '2', '--limit', '20').ended
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/attempt running/)
    expect(stdout).toMatch(/^hot-auctions: 1 of 1 seeds right, \d+ faults/)
  })

  test('when --seeds is not a number it ends with 2 and says what it takes', async () => {
    const { code, stderr } = await startMillrace('sim', folder.jobFile, '--seeds', 'many').ended
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("argument 'many' is invalid. It must be a whole number of at least 1"),
    })
  })
})
