import { isFields } from '../../model/fields.ts'
import { objectsUnavailable } from '../object-errors.ts'
import type { StoredObject } from '../objects.ts'
import { parsed, type HdfsClient } from './hdfs-client.ts'

/** A file or folder as a NameNode describes it (FileStatus of WebHDFS). */
export interface HdfsStatus extends StoredObject {
  readonly isFolder: boolean
}

/** Undefined when there is nothing at the path. */
export async function statusOf(client: HdfsClient, path: string): Promise<HdfsStatus | undefined> {
  const doing = `look at ${JSON.stringify(path)}`
  const { body, exception } = await client.send({
    method: 'GET',
    op: 'GETFILESTATUS',
    path,
    doing,
    expects: ['FileNotFoundException'],
  })
  if (exception !== undefined) return undefined
  const answer = parsed(body)
  const status = isFields(answer) ? readStatus(answer['FileStatus'], path) : undefined
  if (status === undefined) throw objectsUnavailable(client.name, doing, new Error('the answer has no FileStatus'))
  return status
}

/** The entries of a folder, in batches, in no promised order; none when there is no such folder. */
export async function* entriesIn(client: HdfsClient, folder: string): AsyncGenerator<HdfsStatus> {
  const doing = `list ${JSON.stringify(folder)}`
  let startAfter: string | undefined
  for (;;) {
    const { body, exception } = await client.send({
      method: 'GET',
      op: 'LISTSTATUS_BATCH',
      path: folder,
      // WebHDFS.md writes it startAfter, which NameNodes of 3.5.0 pass over
      ...(startAfter === undefined ? {} : { query: { startafter: startAfter } }),
      doing,
      expects: ['FileNotFoundException'],
    })
    if (exception !== undefined) return
    const { names, statuses, isLast } = batchOf(body)
    if (statuses === undefined) throw objectsUnavailable(client.name, doing, new Error('the answer has no listing'))
    for (const [index, name] of names.entries()) {
      const status = readStatus(statuses[index], folder === '' ? name : `${folder}/${name}`)
      if (status !== undefined && name !== '') yield status
    }
    const last = names.at(-1)
    if (isLast || last === undefined) return
    if (last === startAfter) throw objectsUnavailable(client.name, doing, new Error('the listing does not go on'))
    startAfter = last
  }
}

function batchOf(body: Uint8Array): { names: string[]; statuses: readonly unknown[] | undefined; isLast: boolean } {
  const answer = parsed(body)
  const listing = isFields(answer) ? answer['DirectoryListing'] : undefined
  const partial = isFields(listing) ? listing['partialListing'] : undefined
  const found = isFields(partial) ? partial['FileStatuses'] : undefined
  const statuses = isFields(found) ? found['FileStatus'] : undefined
  if (!Array.isArray(statuses)) return { names: [], statuses: undefined, isLast: true }
  const names = statuses.map((status: unknown) => (isFields(status) ? String(status['pathSuffix']) : ''))
  return { names, statuses, isLast: !isFields(listing) || listing['remainingEntries'] === 0 }
}

function readStatus(value: unknown, path: string): HdfsStatus | undefined {
  if (!isFields(value)) return undefined
  const { type, length, modificationTime, fileId } = value
  if (typeof length !== 'number' || typeof modificationTime !== 'number') return undefined
  return {
    path,
    sizeBytes: length,
    modifiedMs: modificationTime,
    version: `${String(fileId)}-${modificationTime}-${length}`,
    isFolder: type === 'DIRECTORY',
  }
}
