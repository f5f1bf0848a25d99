import { createHmac, timingSafeEqual } from 'node:crypto'
import { MillraceError } from '../model/errors.ts'
import type { Unsigned } from '../model/signing.ts'
import type { Store } from '../ports/store.ts'
import { isSealed } from './sealed-file.ts'

export interface Signing {
  /** The first signs, any may have signed. */
  readonly keys: readonly [present: string, ...earlier: string[]]
  readonly unsigned: Unsigned
}

/**
 * A store in which the files of a coordinator are signed: log entries, manifests, and the markers of committed output.
 * Manifests have the checksums of state files, so that these are covered as well, and workers need no key. The
 * signature (HMAC-SHA256, RFC 2104, over job, path and text) is the last word of a seal's line, where those who have no
 * key skip it. `get` throws SIGNATURE_MISSING or SIGNATURE_WRONG; what it returns has no signature any more.
 */
export function signedStore(store: Store, signing: Signing): Store {
  const [present] = signing.keys
  const written = (path: string, bytes: Uint8Array): Uint8Array => (mustBeSigned(path) ? signed(bytes, present) : bytes)
  return {
    get: async (path) => {
      const bytes = await store.get(path)
      return bytes === undefined || !mustBeSigned(path) ? bytes : verified(path, bytes, signing)
    },
    put: (path, bytes) => store.put(path, written(path, bytes)),
    createIfAbsent: (path, bytes) => store.createIfAbsent(path, written(path, bytes)),
    list: (prefix) => store.list(prefix),
    unfinished: (prefix) => store.unfinished(prefix),
    delete: (path) => store.delete(path),
  }
}

/** At the end of a path, whatever folder the store begins at. */
const SIGNED_FILES = /(^|\/)(log\/\d+|checkpoints\/\d+-\d+\/(manifest\.json|committed))$/
const mustBeSigned = (path: string): boolean => SIGNED_FILES.test(path)

/** Words of a seal's line: magic, checksum, job, path. */
const SEAL_WORDS = 4

interface Line {
  readonly words: readonly string[]
  /** With the line end in front. */
  readonly rest: Buffer
}

function lineOf(bytes: Uint8Array): Line | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = buffer.indexOf('\n')
  if (end < 0 || !isSealed(bytes)) return undefined
  return { words: buffer.toString('utf8', 0, end).split(' '), rest: buffer.subarray(end) }
}

function signed(bytes: Uint8Array, key: string): Uint8Array {
  const line = lineOf(bytes)
  if (line === undefined) throw new Error('only sealed files are signed')
  return joined([...line.words, signatureOf(line, key)], line.rest)
}

/** The same without its signature. */
function verified(path: string, bytes: Uint8Array, { keys, unsigned }: Signing): Uint8Array {
  const line = lineOf(bytes)
  const signature = line?.words[SEAL_WORDS]
  if (line === undefined || signature === undefined) {
    if (unsigned === 'accept') return bytes
    throw new MillraceError('SIGNATURE_MISSING', `${path} is not signed, and only signed files are accepted`, {
      domain: 'platform',
      hint: 'state from before signing: let the job run with jobs.signing.unsigned: accept until its next checkpoint',
    })
  }
  const found = Buffer.from(signature, 'utf8')
  const isValid = keys.some((key) => {
    const due = Buffer.from(signatureOf(line, key), 'utf8')
    return due.length === found.length && timingSafeEqual(due, found)
  })
  if (!isValid || line.words.length > SEAL_WORDS + 1)
    throw new MillraceError('SIGNATURE_WRONG', `${path} was not signed with a key of this job`, {
      domain: 'platform',
      hint: 'somebody has changed the checkpoint store, or the key that signed it is not among those in the Secret any more',
    })
  return joined(line.words.slice(0, SEAL_WORDS), line.rest)
}

function signatureOf({ words, rest }: Line, key: string): string {
  const [, , job = '', path = ''] = words
  return createHmac('sha256', key).update(`millrace-signature-1 ${job} ${path}`).update(rest).digest('hex')
}

function joined(words: readonly string[], rest: Buffer): Uint8Array {
  return Buffer.concat([Buffer.from(words.join(' '), 'utf8'), rest])
}
