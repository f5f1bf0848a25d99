import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findProgram, runCommand } from '../harness/beds/run-command.ts'
import { type S3Bed, s3BedMissing, startS3 } from '../harness/beds/s3-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { objectFilesSuite, type FilesServer } from '../harness/object-files-suite.ts'
import { startMillrace } from '../harness/processes.ts'

const why = s3BedMissing() ?? (findProgram('curl') === undefined ? 'no curl, the other client' : undefined)
const LONG_MS = 300_000

describe.skipIf(why !== undefined)(`files in S3${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-s3-files-'))
  let s3: S3Bed

  beforeAll(async () => {
    s3 = await startS3({ dir: join(dir, 's3'), buckets: ['input', 'output', 'state'] })
    process.env['AWS_ACCESS_KEY_ID'] = s3.accessKey
    process.env['AWS_SECRET_ACCESS_KEY'] = s3.secretKey
  }, LONG_MS)
  afterAll(async () => {
    delete process.env['AWS_ACCESS_KEY_ID']
    delete process.env['AWS_SECRET_ACCESS_KEY']
    await s3?.stop()
    rmSync(dir, { recursive: true })
  })

  /** The files on the server's disk: not our client. */
  const server = (): FilesServer => ({
    url: (area, name) => `s3://${area}/${name}?endpoint=${encodeURIComponent(s3.endpoint)}`,
    async putInput(path, text) {
      const to = join(s3.folderOf('input'), path)
      mkdirSync(dirname(to), { recursive: true })
      writeFileSync(join(dir, 'input'), text)
      renameSync(join(dir, 'input'), to)
    },
    async outputPaths(name) {
      const paths = pathsBelow(s3.folderOf('output'))
      // where the server keeps uploads that nobody has completed, under hashes of their names
      const isUpload = (path: string): boolean => path.startsWith('.sgwtmp/')
      return {
        whole: paths.filter((path) => !isUpload(path) && path.includes(name)),
        unfinished: paths.filter(isUpload),
      }
    },
    readOutput: async (path) => readFileSync(join(s3.folderOf('output'), path)),
    async killAndRestart() {
      await s3.kill()
      await s3.start()
    },
  })

  objectFilesSuite('as source, sink and store of a job', server)

  test('the objects that a sink made are those that curl lists', async () => {
    const { whole } = await server().outputPaths('ended')
    expect(whole.length).toBeGreaterThan(0)
    expect((await keysByCurl('output')).filter((key) => key.startsWith('ended/'))).toEqual(whole.toSorted())
  })

  test(
    'a bucket that is missing is reported with its URL and the reason',
    async () => {
      const file = join(dir, 'wrong.yaml')
      writeFileSync(
        file,
        `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: wrong }
spec:
  graph:
    - id: numbers
      source: { file: { path: '${server().url('input', '*.json').replace('input', 'absent')}', format: json } }
      schema: { number: long }
    - { id: out, from: numbers, sink: console }
`,
      )
      const job = startMillrace('run', file)
      await waitFor('the report', 15_000, () => Promise.resolve(job.stderr().includes('NoSuchBucket')), job.stderr)
      expect(job.stderr()).toContain('s3://absent/')
      job.process.kill('SIGINT')
      await job.ended
    },
    LONG_MS,
  )

  async function keysByCurl(bucket: string): Promise<string[]> {
    const user = `${s3.accessKey}:${s3.secretKey}`
    const url = `${s3.endpoint}/${bucket}?list-type=2`
    // curl of Debian 12 does not send this header by itself
    const header = 'x-amz-content-sha256: UNSIGNED-PAYLOAD'
    const sign = ['--aws-sigv4', 'aws:amz:us-east-1:s3', '--user', user, '-H', header]
    const xml = await runCommand('curl', ['-sf', ...sign, url], { bed: 's3', doing: `listing ${bucket} by curl` })
    return [...xml.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key = '']) => key).sort()
  }
})

/** Folders of uploads go while they are listed: then all is listed again. */
function pathsBelow(folder: string): string[] {
  for (;;) {
    try {
      const found = readdirSync(folder, { recursive: true, withFileTypes: true })
      const files = found.filter((file) => file.isFile())
      return files.map((file) => join(file.parentPath, file.name).slice(folder.length + 1))
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error
    }
  }
}
