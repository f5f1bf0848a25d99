import { createHash } from 'node:crypto'
import type { GroupState, StateFile } from '../model/snapshot.ts'
import { MillraceError } from '../model/errors.ts'
import type { KeyGroupRange } from '../plan/key-groups.ts'
import type { Store } from '../ports/store.ts'

/** Writes the blocks behind each other into one file of the store; its table stands in the manifest. */
export async function writeStateFile(store: Store, path: string, groups: readonly GroupState[]): Promise<StateFile> {
  const bytes = Buffer.concat(groups.map(([, block]) => block))
  let offset = 0
  const table = groups.map(([group, block]) => {
    const row = [group, offset, block.length] as const
    offset += block.length
    return row
  })
  await store.put(path, bytes)
  return { path, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), groups: table }
}

/** The file's bytes, as long and with the checksum that its manifest says. Throws STATE_MISSING or STATE_CORRUPT naming it. */
export async function checkedStateFile(store: Store, file: StateFile): Promise<Uint8Array> {
  const bytes = await store.get(file.path)
  if (!bytes) throw new MillraceError('STATE_MISSING', `state file ${file.path} is not in the store`, { domain: 'platform' })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (bytes.length !== file.sizeBytes || sha256 !== file.sha256) {
    throw new MillraceError('STATE_CORRUPT', `state file ${file.path} has ${bytes.length} bytes and sha256 ${sha256}; the manifest says ${file.sizeBytes} and ${file.sha256}`,
      { domain: 'platform' })
  }
  return bytes
}

/** Reads the blocks of the key groups in `range`. Throws STATE_MISSING or STATE_CORRUPT naming the file. */
export async function readStateFile(store: Store, file: StateFile, range: KeyGroupRange): Promise<GroupState[]> {
  const bytes = await checkedStateFile(store, file)
  return file.groups
    .filter(([group]) => group >= range.first && group < range.endExclusive)
    .map(([group, offset, length]) => [group, bytes.subarray(offset, offset + length)] as const)
}
