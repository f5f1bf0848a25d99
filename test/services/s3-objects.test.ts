import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Objects } from '../../runtime/ports/objects.ts'
import { storeOn } from '../../runtime/ports/objects-store.ts'
import { byteHttp } from '../../runtime/ports/real/byte-http.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { realFiles } from '../../runtime/ports/real/files.ts'
import { openObjects } from '../../runtime/ports/real/open-objects.ts'
import { realRng } from '../../runtime/ports/real/rng.ts'
import { secretFiles } from '../../runtime/ports/reached-files.ts'
import { type S3Bed, s3BedMissing, startS3 } from '../harness/beds/s3-bed.ts'
import { objectsFaultSuite } from '../harness/objects-fault-suite.ts'
import { objectsSuite } from '../harness/objects-suite.ts'

const why = s3BedMissing()
const LONG_MS = 300_000

describe.skipIf(why !== undefined)(`a real S3 server${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-s3-'))
  let s3: S3Bed

  beforeAll(async () => {
    s3 = await startS3({ dir, buckets: ['one'] })
  }, LONG_MS)
  afterAll(async () => {
    await s3?.stop()
    rmSync(dir, { recursive: true })
  })

  const open = (root = 'one/root', secretKey = s3.secretKey): Objects =>
    openObjects(`s3://${root}?endpoint=${encodeURIComponent(s3.endpoint)}`, {
      clock: realClock,
      rng: realRng,
      files: realFiles,
      secretFiles: secretFiles(realFiles, undefined),
      send: byteHttp(undefined),
      env: { AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
    })

  objectsSuite('its objects', () => open(), { listed: 10_500, largeBytes: 20_000_000 })

  objectsFaultSuite(
    (folder) => `s3://one/${folder}?endpoint=${encodeURIComponent(s3.endpoint)}`,
    () => ({ AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey }),
  )

  test('a checkpoint store in a bucket that is missing is unavailable, and may come', async () => {
    await expect(storeOn(open('absent/store')).get('x')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retriable: true,
    })
  })

  test('a wrong key and a missing bucket are refused in the words of the server', async () => {
    await expect(open('one/root', 'wrong').put('x', Buffer.from('y'))).rejects.toMatchObject({
      code: 'OBJECTS_REFUSED',
      message: expect.stringContaining('SignatureDoesNotMatch'),
    })
    await expect(open('absent/root').put('x', Buffer.from('y'))).rejects.toMatchObject({
      code: 'OBJECTS_REFUSED',
      message: expect.stringContaining('NoSuchBucket'),
    })
  })

  test(
    'while the server is killed calls are unavailable, and what was put and prepared before is there afterwards',
    async () => {
      const objects = open()
      await objects.put('kept', Buffer.from('kept'))
      const upload = await objects.begin('prepared')
      await upload.write(Buffer.from('prepared'))
      const prepared = await upload.prepare()
      await s3.kill()
      await expect(objects.head('kept')).rejects.toMatchObject({ code: 'OBJECTS_UNAVAILABLE', retriable: true })
      await s3.start()
      await objects.complete(prepared)
      // the files of the server: not our client
      expect(readFileSync(join(s3.folderOf('one'), 'root', 'prepared'), 'utf8')).toBe('prepared')
      expect(readFileSync(join(s3.folderOf('one'), 'root', 'kept'), 'utf8')).toBe('kept')
    },
    LONG_MS,
  )
})
