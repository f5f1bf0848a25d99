import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { type HdfsBed, hdfsBedMissing, startHdfs } from '../harness/beds/hdfs-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { findProgram, runCommand } from '../harness/beds/run-command.ts'
import { objectFilesSuite, type FilesServer } from '../harness/object-files-suite.ts'

const why = hdfsBedMissing() ?? (findProgram('curl') === undefined ? 'no curl, the other client' : undefined)
const PATIENCE_MS = 60_000
const LONG_MS = 300_000

interface Listed {
  pathSuffix: string
  type: string
}

describe.skipIf(why !== undefined)(`files in HDFS${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-hdfs-files-'))
  let hdfs: HdfsBed

  beforeAll(async () => {
    hdfs = await startHdfs({ dir: join(dir, 'hdfs') })
  }, LONG_MS)
  afterAll(async () => {
    await hdfs?.stop()
    rmSync(dir, { recursive: true })
  })

  /** By curl and fetch on WebHDFS: not our client. */
  const server = (): FilesServer => ({
    url: (area, name) => `hdfs://${hdfs.nameNode}/${area}/${name}?user=${hdfs.user}`,
    async putInput(path, text) {
      const from = join(dir, 'input')
      writeFileSync(from, text)
      const rename = `op=RENAME&destination=/input/${path}`
      const upload = ['-L', '-X', 'PUT', '-T', from, urlOf('/staging', 'op=CREATE&overwrite=true')]
      // a NameNode gives no file to a DataNode that it holds for overloaded
      let refusal = ''
      const isUploaded = (): Promise<boolean> =>
        byCurl(upload).then(
          () => true,
          (error: unknown) => {
            refusal = String(error)
            return false
          },
        )
      await waitFor('the input is in HDFS', PATIENCE_MS, isUploaded, () => refusal)
      await byCurl(['-X', 'PUT', urlOf(`/input/${path.replace(/\/[^/]*$/, '')}`, 'op=MKDIRS')])
      await byCurl(['-X', 'PUT', urlOf('/staging', rename)])
    },
    async outputPaths(name) {
      const paths = await pathsBelow(`/output/${name}`)
      const isTemporary = (path: string): boolean => path.includes('/.')
      return { whole: paths.filter((path) => !isTemporary(path)), unfinished: paths.filter(isTemporary) }
    },
    readOutput: async (path) => Buffer.from(await (await fetch(urlOf(path, 'op=OPEN'))).arrayBuffer()),
    async killAndRestart() {
      await hdfs.dataNodeDaemon.kill()
      await hdfs.nameNodeDaemon.kill()
      // the NameNode serves once its DataNode has come back
      await hdfs.dataNodeDaemon.launch()
      await hdfs.nameNodeDaemon.start()
    },
  })

  objectFilesSuite('as source, sink and store of a job', server)

  function urlOf(path: string, query: string): string {
    return `http://${hdfs.nameNode}/webhdfs/v1${encodeURI(path)}?${query}&user.name=${hdfs.user}`
  }

  function byCurl(args: readonly string[]): Promise<string> {
    return runCommand('curl', ['-sf', ...args], { bed: 'hdfs', doing: `curl ${args.join(' ')}` })
  }

  async function pathsBelow(folder: string): Promise<string[]> {
    const response = await fetch(urlOf(folder, 'op=LISTSTATUS'))
    if (!response.ok) return []
    const { FileStatuses } = (await response.json()) as { FileStatuses: { FileStatus: Listed[] } }
    const paths = FileStatuses.FileStatus.map(async ({ pathSuffix, type }) => {
      const path = `${folder}/${pathSuffix}`
      return type === 'DIRECTORY' ? pathsBelow(path) : [path]
    })
    return (await Promise.all(paths)).flat()
  }
})
