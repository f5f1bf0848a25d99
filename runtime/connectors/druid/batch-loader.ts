import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { membersOf } from '../../model/fields.ts'
import { sleep } from '../../ports/clock.ts'
import type { StorageRetry } from '../kit/storage-retry.ts'
import type { SinkContext } from '../sink.ts'
import { batchTask, intervalOf, loadId, type BatchLoad } from './batch-task.ts'
import type { DruidService } from './druid-service.ts'

/** A Druid that stays away longer restarts the job, which then waits and reports. */
const PATIENCE_MS = 60_000
const POLL_MS = 500

type TaskState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'running' }
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly why: string }

export interface BatchLoaderParts {
  readonly service: DruidService
  readonly retry: Pick<StorageRetry, 'run'>
  readonly context: Pick<SinkContext, 'jobUid' | 'operatorId' | 'ports'>
  /** Rejects when a file of the load is not there: Druid would take it for one without rows. */
  checkFiles(names: readonly string[]): Promise<void>
}

/**
 * Has Druid load files, once, whatever dies when. A load is a row of tasks with fixed ids: the first that succeeds is
 * the load. A task that failed may have published before it did, and the next one replaces that by the same rows.
 */
export class BatchLoader {
  readonly #parts: BatchLoaderParts

  constructor(parts: BatchLoaderParts) {
    this.#parts = parts
  }

  /** Whether one of the tasks has succeeded. */
  async isDone(load: BatchLoad): Promise<boolean> {
    return (await this.#lastTry(load)).state.kind === 'succeeded'
  }

  /**
   * Resolves when the rows are published. Rejects with DRUID_LOAD_FAILED when the task fails: the next attempt of the
   * job tries again.
   */
  async run(load: BatchLoad): Promise<void> {
    const { logger } = this.#parts.context.ports
    const { id, state } = await this.#lastTry(load)
    if (state.kind === 'succeeded') return
    if (state.kind === 'unknown') {
      await this.#parts.checkFiles(load.names)
      const { datasource } = load.options
      logger.info('loading into Druid', { task: id, datasource, interval: intervalOf(load.options) })
      await this.#ask('submitting a task to', () => this.#submit(id, load))
    }
    for (;;) {
      const now = await this.#ask('following a task of', () => this.#stateOf(id))
      if (now.kind === 'succeeded') return
      if (now.kind === 'failed') throw this.#failed(id, load, now.why)
      if (now.kind === 'unknown') throw this.#failed(id, load, 'Druid no longer knows the task')
      await sleep(this.#parts.context.ports.clock, POLL_MS)
    }
  }

  /** The first try that did not fail. */
  async #lastTry(load: BatchLoad): Promise<{ id: string; state: TaskState }> {
    const base = loadId(this.#parts.context, load)
    for (let attempt = 1; ; attempt++) {
      const id = `${base}-${attempt}`
      const state = await this.#ask('asking for a task of', () => this.#stateOf(id))
      if (state.kind !== 'failed') return { id, state }
    }
  }

  async #stateOf(id: string): Promise<TaskState> {
    const { service } = this.#parts
    const answer = await service.ask('GET', `/druid/indexer/v1/task/${id}/status`)
    if (answer.status === 404) return { kind: 'unknown' }
    if (answer.status !== 200) throw service.refused(answer)
    const { statusCode, status: state, errorMsg } = membersOf(membersOf(parsed(service, answer.body))['status'])
    switch (statusCode ?? state) {
      case 'RUNNING':
        return { kind: 'running' }
      case 'SUCCESS':
        return { kind: 'succeeded' }
      case 'FAILED':
        return { kind: 'failed', why: clipped(typeof errorMsg === 'string' ? errorMsg : 'Druid gave no reason') }
      default:
        throw unreadable(service, answer.body)
    }
  }

  async #submit(id: string, load: BatchLoad): Promise<void> {
    const { service } = this.#parts
    const answer = await service.ask('POST', '/druid/indexer/v1/task', batchTask(id, load))
    if (answer.status === 200) return
    // a call whose answer was lost, or another attempt, has submitted it
    if (answer.status === 400 && (await this.#stateOf(id)).kind !== 'unknown') return
    throw service.refused(answer)
  }

  #ask<T>(doing: string, call: () => Promise<T>): Promise<T> {
    return this.#parts.retry.run(doing, PATIENCE_MS, call)
  }

  #failed(id: string, { options }: BatchLoad, why: string): MillraceError {
    return new MillraceError(
      'DRUID_LOAD_FAILED',
      `the task ${id} of the Druid at ${this.#parts.service.url}, which loads ${options.datasource}, failed: ${why}`,
      {
        domain: 'dependency',
        retriable: true,
        hint: 'The task log in Druid says more. The rows are kept, and the next attempt of the job loads them again.',
      },
    )
  }
}

function parsed(service: DruidService, body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw unreadable(service, body, cause)
  }
}

function unreadable({ url }: DruidService, body: string, cause?: unknown): MillraceError {
  return new MillraceError('DRUID_ANSWER', `the Druid at ${url} answered no status of a task: ${clipped(body)}`, {
    domain: 'dependency',
    retriable: true,
    ...(cause === undefined ? {} : { cause }),
  })
}
