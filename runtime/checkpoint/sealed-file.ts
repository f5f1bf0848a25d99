import { createHash } from 'node:crypto'
import { MillraceError } from '../model/errors.ts'

/** What a file is, whatever it says: its path in the job's folder, and the job by its UID. */
export interface SealedPlace {
  readonly path: string
  readonly job: string
}

/** Whether a file must have a seal: `optional` where others of its time have none either. */
export type SealDemand = 'required' | 'optional'

const MAGIC = 'millrace-sealed-1'

/**
 * A text with a first line that binds it to its place: `millrace-sealed-1 SHA256 JOB PATH`. The checksum is over JOB,
 * PATH and the text, so that a flipped bit, a cut, or a file of another job or place is found when it is read. It guards
 * against storage that errs and files that were moved; who may write the store can also write a checksum.
 */
export function seal({ path, job }: SealedPlace, text: string): Uint8Array {
  const place = `${job} ${path}\n`
  return Buffer.from(`${MAGIC} ${checksum(place, Buffer.from(text, 'utf8'))} ${place}${text}`, 'utf8')
}

/**
 * The text of a sealed file. Files from before there were seals are returned as they are, unless a seal is required.
 * `job` is absent where state of any job is read. Throws FILE_CORRUPT when the checksum is wrong, FILE_MISPLACED when the
 * file belongs elsewhere, SEAL_MISSING.
 */
export function unseal(
  { path, job }: { path: string; job?: string | undefined },
  bytes: Uint8Array,
  demand: SealDemand = 'optional',
): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (!isSealed(bytes)) {
    if (demand === 'required') throw sealMissing(path)
    return buffer.toString('utf8')
  }
  const end = buffer.indexOf('\n')
  const [, sha256, sealedJob, sealedPath] = buffer.toString('utf8', 0, Math.max(end, 0)).split(' ')
  const body = buffer.subarray(end + 1)
  const found = checksum(`${sealedJob ?? ''} ${sealedPath ?? ''}\n`, body)
  if (end < 0 || sha256 !== found)
    throw new MillraceError('FILE_CORRUPT', `${path} has the checksum ${found}, its seal says ${sha256 ?? 'nothing'}`, {
      domain: 'platform',
      hint: 'the store has changed what was written: restore from another checkpoint, and have the disk checked',
    })
  if (sealedPath !== path || (job !== undefined && sealedJob !== job))
    throw new MillraceError(
      'FILE_MISPLACED',
      `${path}${job === undefined ? '' : ` of job ${job}`} holds ${String(sealedPath)} of job ${String(sealedJob)}`,
      { domain: 'platform', hint: 'a file was copied or renamed in the checkpoint store: put it back' },
    )
  return body.toString('utf8')
}

export function isSealed(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).subarray(0, MAGIC.length).equals(Buffer.from(MAGIC))
}

export function sealMissing(path: string): MillraceError {
  return new MillraceError('SEAL_MISSING', `${path} has no seal, and what the job wrote with it has one`, {
    domain: 'platform',
    hint: 'somebody has changed the checkpoint store: restore from another checkpoint, or put the file back',
  })
}

/** The UID of the job that a sealed file belongs to; undefined for files from before there were seals. */
export function sealedFor(bytes: Uint8Array): string | undefined {
  const [magic, , job] = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024))
    .toString('utf8')
    .split(' ')
  return magic === MAGIC ? job : undefined
}

function checksum(place: string, text: Uint8Array): string {
  return createHash('sha256').update(place).update(text).digest('hex')
}
