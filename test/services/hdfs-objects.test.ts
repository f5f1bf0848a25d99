import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MillraceError } from '../../runtime/model/errors.ts'
import type { Objects } from '../../runtime/ports/objects.ts'
import { objectsEnvironment, openObjects } from '../../runtime/ports/real/open-objects.ts'
import { type HdfsBed, hdfsBedMissing, startHdfs } from '../harness/beds/hdfs-bed.ts'
import { freePorts } from '../harness/beds/free-port.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { objectsFaultSuite } from '../harness/objects-fault-suite.ts'
import { objectsSuite } from '../harness/objects-suite.ts'

const why = hdfsBedMissing()
const LONG_MS = 300_000

describe.skipIf(why !== undefined)(`a real HDFS${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-hdfs-'))
  let hdfs: HdfsBed

  beforeAll(async () => {
    hdfs = await startHdfs({ dir })
  }, LONG_MS)
  afterAll(async () => {
    await hdfs?.stop()
    rmSync(dir, { recursive: true })
  })

  const open = (nameNodes = hdfs.nameNode, folder = 'root'): Objects =>
    openObjects(`hdfs://${nameNodes}/${folder}?user=${hdfs.user}`, objectsEnvironment(undefined))

  objectsSuite('its objects', () => open(), {
    listed: 10_500,
    largeBytes: 40_000_000,
    make: async (paths) => {
      for (const path of paths) {
        mkdirSync(dirname(join(dir, 'made', path)), { recursive: true })
        writeFileSync(join(dir, 'made', path), '')
      }
      const folders = new Set(paths.map((path) => path.slice(0, path.indexOf('/'))))
      await hdfs.shell('-mkdir', '-p', '/root')
      await hdfs.shell('-put', '-d', '-t', '16', ...[...folders].map((folder) => join(dir, 'made', folder)), '/root')
    },
  })

  objectsFaultSuite(
    (folder) => `hdfs://${hdfs.nameNode}/${folder}?user=${hdfs.user}`,
    () => ({}),
  )

  test('what another client reads by WebHDFS is what was put', async () => {
    await open().put('for others/a+b', Buffer.from('hello'))
    const url = `http://${hdfs.nameNode}/webhdfs/v1/root/for%20others/a%2Bb?op=OPEN`
    expect(await (await fetch(url)).text()).toBe('hello')
  })

  test('of two NameNodes, of which one is away, the other serves', async () => {
    const [away = 0] = await freePorts(1)
    const objects = open(`127.0.0.1:${away},${hdfs.nameNode}`)
    await objects.put('pair', Buffer.from('one'))
    expect((await objects.head('pair'))?.sizeBytes).toBe(3)
  })

  test(
    'while the NameNode or the DataNode is killed calls wait or are unavailable, and what was prepared is completed after',
    async () => {
      const objects = open()
      await objects.put('kept', Buffer.from('kept'))
      const upload = await objects.begin('prepared')
      await upload.write(Buffer.from('prepared'))
      const prepared = await upload.prepare()
      await hdfs.nameNodeDaemon.kill()
      await expect(objects.head('kept')).rejects.toMatchObject({ code: 'OBJECTS_UNAVAILABLE', retriable: true })
      await hdfs.nameNodeDaemon.start()
      await objects.complete(prepared)
      await hdfs.dataNodeDaemon.kill()
      await expect(objects.read('kept', 0, 4)).rejects.toMatchObject({ code: 'OBJECTS_UNAVAILABLE', retriable: true })
      await expect(objects.put('while away', Buffer.from('x'))).rejects.toMatchObject({ code: 'OBJECTS_UNAVAILABLE' })
      expect(await objects.head('while away')).toBeUndefined()
      await hdfs.dataNodeDaemon.start()
      await waitFor('the DataNode serves its blocks again', LONG_MS, () => isReadable(objects, 'prepared'))
      expect(Buffer.from(await objects.read('prepared', 0, 100)).toString()).toBe('prepared')
    },
    LONG_MS,
  )

  test(
    'a DataNode that is killed in an upload leaves no object, and once it is back the upload goes on',
    async () => {
      const objects = open()
      const large = Buffer.alloc(70_000_000, 'abcdefghijk')
      const upload = await objects.begin('large-cut')
      let written = 0
      const writing = (async () => {
        for (let at = 0; at < large.length; at += 1_000_000) {
          await upload.write(large.subarray(at, at + 1_000_000))
          written = at
        }
        return upload.prepare()
      })()
      await waitFor('a first piece', LONG_MS, () => Promise.resolve(written >= 17_000_000))
      await hdfs.dataNodeDaemon.kill()
      const outcome = Promise.allSettled([writing])
      await hdfs.dataNodeDaemon.start()
      const [result] = await outcome
      expect(await objects.head('large-cut')).toBeUndefined()
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({ code: 'OBJECTS_UNAVAILABLE', retriable: true })
        return
      }
      await objects.complete(result.value)
      await waitFor('the DataNode serves its blocks again', LONG_MS, () => isReadable(objects, 'large-cut'))
      expect(Buffer.compare(await objects.read('large-cut', 0, large.length + 1), large)).toBe(0)
    },
    LONG_MS,
  )
})

async function isReadable(objects: Objects, path: string): Promise<boolean> {
  try {
    await objects.read(path, 0, 1)
    return true
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'OBJECTS_UNAVAILABLE') return false
    throw error
  }
}
