import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { JobFolder } from '../harness/job-folder.ts'
import { startMillrace } from '../harness/processes.ts'

describe('errors that stay', () => {
  test('when the output that a restored checkpoint counts on is gone, the run gives up with 1 and says why once', async () => {
    const folder = new JobFolder(50)
    try {
      // All output is in the last checkpoint: one in between might commit it, and the last would count on nothing.
      folder.writeJob(folder.spec(1, { interval: '10m' }))
      expect((await startMillrace('run', folder.jobFile).ended).code).toBe(0)
      const [first] = folder.runs()
      // as if the run had died before it noted that its output was committed
      for (const path of readdirSync(first ?? '', { recursive: true, encoding: 'utf8' }))
        if (path.endsWith('committed')) rmSync(join(first ?? '', path))
      rmSync(join(folder.path, 'out'), { recursive: true })
      const { code, stderr } = await startMillrace('run', folder.jobFile, '--restore', first ?? '').ended
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/^millrace: SINK_OUTPUT_LOST subtask .* is gone/m),
      })
      expect(stderr.match(/SINK_OUTPUT_LOST/g)?.length, stderr).toBeLessThanOrEqual(2)
      expect(stderr.match(/is gone/g), stderr).toHaveLength(1)
    } finally {
      folder.delete()
    }
  })
})
