import { basename, dirname, join, relative, sep } from 'node:path'
import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import { isInFolder, normalizedPath } from '../../model/reach.ts'
import type { Committable } from '../../model/snapshot.ts'
import { mayPass } from '../../ports/file-errors.ts'
import type { SinkContext } from '../sink.ts'
import { committableInvalid, outputLost } from './part-errors.ts'
import type { PartNames } from './part-names.ts'
import { isPartitionFolder } from './partition-folder.ts'
import type { OutputPart, PartPlace } from './part-place.ts'

const SUFFIX = '.pending'

/** A checkpoint keeps this of a part in a local folder. */
interface LocalPart {
  readonly from: string
  readonly to: string
}

export interface LocalPartsOptions {
  readonly context: Pick<SinkContext, 'ports' | 'operatorId'>
  readonly names: PartNames
  /** Absent: the sink writes elsewhere now, and commits what the job wrote to folders before. */
  readonly folder: string | undefined
  /** Parts may be in folders of partitions. */
  readonly isPartitioned: boolean
}

/**
 * Parts in local folders. A part is the file `.<name>.pending`, which is flushed at the barrier and renamed to its name
 * when the checkpoint is complete. Names carry the attempt, so a writer of an older attempt can never touch a newer
 * one's file.
 */
export class LocalParts implements PartPlace {
  readonly heldBytes = 0
  readonly #options: LocalPartsOptions

  constructor(options: LocalPartsOptions) {
    this.#options = options
  }

  async begin(path: string): Promise<OutputPart | 'taken'> {
    const { files } = this.#options.context.ports
    const to = join(this.#options.folder ?? '', path)
    const from = join(dirname(to), `.${basename(to)}${SUFFIX}`)
    if (await files.exists(to)) return 'taken'
    await attempt('write', from, () => files.delete(from))
    return {
      write: (bytes) => attempt('write', from, () => files.append(from, bytes)),
      prepare: async () => {
        await files.sync(from)
        return { from, to }
      },
      discard: () => files.delete(from),
    }
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    const { files } = this.#options.context.ports
    for (const committable of committables) {
      const { from, to } = this.#ownPart(committable)
      if (await files.exists(from)) await attempt('commit', to, () => files.rename(from, to))
      else if (!(await files.exists(to))) throw outputLost(`${from} is gone and ${to} does not exist either`)
    }
  }

  discard(committable: Committable): Promise<void> {
    return this.#options.context.ports.files.delete(this.#ownPart(committable).from)
  }

  async sweep(): Promise<void> {
    const { folder, context, names, isPartitioned } = this.#options
    if (folder === undefined) return
    const { files, logger } = context.ports
    const pattern = `.part-*${SUFFIX}`
    const found = new Set(await files.glob(join(folder, pattern)))
    if (isPartitioned) for (const path of await files.glob(join(folder, '**', pattern))) found.add(path)
    for (const path of found) {
      if (!names.isOlder(basename(path).slice(1, -SUFFIX.length))) continue
      logger.info('deleting output that no checkpoint holds', { operator: context.operatorId, path })
      await files.delete(path)
    }
  }

  /**
   * A committable comes from a manifest, and so from anyone whose savepoint is taken over: it may only rename a part of
   * this operator to its final name. Beyond the sink's folder only parts of this very job are renamed: those that it
   * wrote before its sink was given another folder.
   */
  #ownPart(committable: Committable): LocalPart {
    const { names, context } = this.#options
    const part = localPartOf(committable)
    if (part === undefined) throw committableInvalid(context.operatorId, JSON.stringify(committable))
    const { from, to } = part
    const name = basename(to)
    const isPart =
      from === join(dirname(to), `.${name}${SUFFIX}`) &&
      names.isOfOperator(name) &&
      (this.#isInside(to) || names.isOfJob(name))
    if (isPart) return part
    throw committableInvalid(context.operatorId, `to rename ${from} to ${to}`)
  }

  #isInside(path: string): boolean {
    const { folder } = this.#options
    if (folder === undefined || path !== normalizedPath(path) || !isInFolder(dirname(path), folder)) return false
    return relative(folder, dirname(path))
      .split(sep)
      .every((step) => step === '' || isPartitionFolder(step))
  }
}

export function localPartOf(committable: Committable): LocalPart | undefined {
  if (!isFields(committable)) return undefined
  const { from, to } = committable
  return typeof from === 'string' && typeof to === 'string' ? { from, to } : undefined
}

async function attempt(verb: string, path: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (cause) {
    throw new MillraceError('FILE_UNWRITABLE', `cannot ${verb} ${path}`, {
      domain: 'dependency',
      retriable: mayPass(cause),
      cause,
      hint: `check that ${dirname(path)} is writable and has space`,
    })
  }
}
