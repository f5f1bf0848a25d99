import type { Batch } from '../../memory/batch.ts'
import { basename, dirname, join } from 'node:path'
import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import type { Committable } from '../../model/snapshot.ts'
import { mayPass } from '../../ports/file-errors.ts'
import type { SinkContext, SinkWriter } from '../sink.ts'
import type { FileSinkOptions } from './declaration.ts'
import { partContent, type PartContent } from './part-content.ts'
import { partPrefix } from './part-names.ts'
import { resolvePath } from './paths.ts'

const BUFFER_BYTES = 256 * 1024
const SUFFIX = '.pending'
/** Job, operator, slot, attempt and number; the operator's id may contain dashes. */
const PART = /^part-[0-9a-f]{8}-(.+)-\d+-\d+-\d+\.\w+$/

/**
 * Exactly-once part files. Rows go into `.part-<job>-<operator>-<slot>-<attempt>-<n>.<format>.pending`, which is
 * flushed at the barrier and renamed to the name without dot and suffix when the checkpoint is complete. Names
 * carry the attempt, so a writer of an older attempt can never touch a newer one's file.
 */
export class FileWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #folder: string
  readonly #options: FileSinkOptions
  #content: PartContent | undefined
  readonly #prefix: string
  #part = 0
  #pending: { from: string; to: string } | undefined
  #cleaned = false

  constructor(context: SinkContext, options: FileSinkOptions) {
    this.#context = context
    this.#folder = resolvePath(context.baseDir, options.path)
    this.#options = options
    this.#prefix = `${partPrefix(context.jobUid)}${context.operatorId}-`
  }

  get takesColumns(): boolean {
    return this.#options.format === 'parquet'
  }

  /** Recovered files may be anyone's, and others may still have to commit theirs: nothing is deleted yet. */
  async open(recovered: readonly Committable[]): Promise<void> {
    this.#content = await partContent(this.#context, this.#options)
    await this.#publish(recovered)
  }

  async write(batch: Batch): Promise<void> {
    const content = this.#open()
    content.add(batch)
    if (content.sizeBytes >= BUFFER_BYTES) await this.#flush()
  }

  async prepareCommit(_checkpoint: CheckpointId): Promise<Committable[]> {
    this.#open().end()
    await this.#flush()
    const pending = this.#pending
    if (!pending) return []
    await this.#context.ports.files.sync(pending.from)
    this.#pending = undefined
    return [pending]
  }

  /**
   * A complete checkpoint of this attempt proves that every writer has opened, and so committed what it recovered:
   * from here on pending files of older attempts are nobody's.
   */
  async commit(committables: readonly Committable[]): Promise<void> {
    await this.#publish(committables)
    if (this.#cleaned) return
    this.#cleaned = true
    await this.#deleteLeftovers()
  }

  async close(): Promise<void> {
    this.#content = undefined
    if (this.#pending) await this.#context.ports.files.delete(this.#pending.from)
    this.#pending = undefined
  }

  async #flush(): Promise<void> {
    const content = this.#open()
    if (content.sizeBytes === 0) return
    const { from } = (this.#pending ??= await this.#newPart())
    const bytes = content.take()
    await this.#attempt('write', from, () => this.#context.ports.files.append(from, bytes))
  }

  /** Skips names that exist: they are of an earlier run whose store was thrown away, and its output stays. */
  async #newPart(): Promise<{ from: string; to: string }> {
    const { files } = this.#context.ports
    const { format } = this.#options
    const suffix = format === 'parquet' ? format : (format.file?.suffix ?? 'bin')
    for (;;) {
      const name = `${this.#prefix}${this.#context.slot}-${this.#context.attempt}-${this.#part++}.${suffix}`
      const part = { from: join(this.#folder, `.${name}${SUFFIX}`), to: join(this.#folder, name) }
      if (await files.exists(part.to)) continue
      await this.#attempt('write', part.from, () => files.delete(part.from))
      const head = format === 'parquet' ? undefined : format.file?.head?.(this.#context.schema)
      if (head !== undefined)
        await this.#attempt('write', part.from, () => files.append(part.from, Buffer.from(`${head}\n`)))
      return part
    }
  }

  #open(): PartContent {
    if (this.#content === undefined)
      throw new MillraceError('FILE_SINK_NOT_OPEN', `the file sink ${this.#context.operatorId} was used before open`)
    return this.#content
  }

  async #publish(committables: readonly Committable[]): Promise<void> {
    const { files } = this.#context.ports
    for (const committable of committables) {
      const { from, to } = this.#ownPart(committable)
      if (await files.exists(from)) {
        await this.#attempt('commit', to, () => files.rename(from, to))
      } else if (!(await files.exists(to))) {
        throw new MillraceError(
          'SINK_OUTPUT_LOST',
          `checkpointed output ${from} is gone and ${to} does not exist either`,
          {
            domain: 'platform',
            hint: 'part files must stay in the folder until the next checkpoint; restore from another checkpoint, or put the file back',
          },
        )
      }
    }
  }

  /**
   * A committable comes from a manifest, and so from anyone whose savepoint is taken over: it may only rename a part of
   * this operator to its final name. Beyond the sink's folder only parts of this very job are renamed: those that it
   * wrote before its sink was given another folder.
   */
  #ownPart(committable: Committable): { from: string; to: string } {
    const { from, to } = parseCommittable(committable)
    const name = basename(to)
    const isPart =
      from === join(dirname(to), `.${name}${SUFFIX}`) &&
      PART.exec(name)?.[1] === this.#context.operatorId &&
      (dirname(to) === this.#folder || name.startsWith(this.#prefix))
    if (isPart) return { from, to }
    throw new MillraceError(
      'COMMITTABLE_INVALID',
      `the checkpoint asks to rename ${from} to ${to}, which is no part of the sink ${this.#context.operatorId} in ${this.#folder}`,
      { domain: 'platform', hint: 'the savepoint was changed, or was written by another sink: start without it' },
    )
  }

  async #deleteLeftovers(): Promise<void> {
    const { files, logger } = this.#context.ports
    for (const path of await files.glob(join(this.#folder, `.${this.#prefix}*${SUFFIX}`))) {
      const attempt = /-\d+-(\d+)-\d+\.\w+\.pending$/.exec(basename(path))?.[1]
      if (attempt === undefined || Number(attempt) >= this.#context.attempt) continue
      logger.info('deleting output that no checkpoint holds', { operator: this.#context.operatorId, path })
      await files.delete(path)
    }
  }

  async #attempt(verb: string, path: string, run: () => Promise<void>): Promise<void> {
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
}

function parseCommittable(committable: Committable): { from: string; to: string } {
  if (typeof committable === 'object' && committable !== null && 'from' in committable && 'to' in committable) {
    const { from, to } = committable
    if (typeof from === 'string' && typeof to === 'string') return { from, to }
  }
  throw new MillraceError('COMMITTABLE_INVALID', `${JSON.stringify(committable)} is not a committable of a file sink`)
}
