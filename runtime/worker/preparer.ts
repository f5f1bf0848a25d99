import type { Connectors } from '../connectors/registry.ts'
import type { Deployment, Preparation, SubtaskSpec } from '../control/messages.ts'
import { MillraceError } from '../model/errors.ts'
import { decodeGraph } from '../graph/encoded-graph.ts'
import { canonicalJson } from '../model/canonical-json.ts'
import { executionPlan } from '../plan/chaining.ts'
import type { Ports } from '../ports/ports.ts'
import type { Store } from '../ports/store.ts'
import { compileSubtask } from './compiled-subtask.ts'
import { SubtaskState } from './subtask-state.ts'

export interface PreparerParts {
  /** The job's name, for stack traces and CPU profiles. */
  job?: string | undefined
  ports: Ports
  connectors: Connectors
  openStore(url: string): Store
  /** Bytes that may still be taken without harm to what runs. */
  roomInMemory(): number
}

/** Bytes in memory per byte of state in files: the indexes take the rest. */
const BYTES_IN_MEMORY = 1.5

/** A subtask that may come to run: one preparation after the other fills it until it is taken or discarded. */
interface Subject {
  spec: SubtaskSpec
  prepared: SubtaskState | undefined
  work: Promise<void>
  isWanted: boolean
}

/**
 * Holds ready what an attempt may need that has not come yet: a compiled subtask whose state is restored beside the
 * running one. At most one; a preparation for another graph replaces it.
 */
export class Preparer {
  readonly #parts: PreparerParts
  #subject: Subject | undefined

  constructor(parts: PreparerParts) {
    this.#parts = parts
  }

  /**
   * Restores what the files hold beyond those of earlier preparations for the same graph, or starts again with a new
   * subtask when they do not continue those. Resolves when all is restored; rejects when that fails or is no longer
   * wanted. `onProgress` is called now and then.
   */
  prepare(preparation: Preparation, onProgress: () => void): Promise<void> {
    if (this.#subject === undefined || !isSame(this.#subject.spec, preparation)) {
      this.forget()
      this.#subject = { spec: preparation, prepared: undefined, work: Promise.resolve(), isWanted: true }
    }
    const subject = this.#subject
    const result = subject.work.then(() => this.#fill(subject, preparation, onProgress))
    subject.work = result.catch(() => undefined)
    return result
  }

  /**
   * A subtask for a deployment: the prepared one with the state that it holds by then, when that is a beginning of the
   * files of the deployment, else a new one. It is the caller's from then on. Rejects with what `checkWanted` throws.
   */
  async stateFor(deployment: Deployment, checkWanted: () => void): Promise<SubtaskState> {
    const prepared = await this.#take(deployment)
    if (prepared !== undefined) {
      if (prepared.isBeginningOf(deployment.restore.state)) return prepared
      await prepared.compiled.discard()
    }
    return this.#begin(deployment, checkWanted)
  }

  async #take(spec: SubtaskSpec): Promise<SubtaskState | undefined> {
    const subject = this.#subject
    if (subject === undefined || !isSame(subject.spec, spec)) {
      this.forget()
      return undefined
    }
    this.#subject = undefined
    subject.isWanted = false
    await subject.work
    return subject.prepared
  }

  /** Gives up what is there, or under way. */
  forget(): void {
    const subject = this.#subject
    this.#subject = undefined
    if (subject === undefined) return
    subject.isWanted = false
    // nothing in it leads outside: closing it cannot fail but by a bug, which the next deployment would meet
    // as well
    subject.work = subject.work.then(() => this.#drop(subject))
  }

  async #fill(subject: Subject, preparation: Preparation, onProgress: () => void): Promise<void> {
    const check = (): void => {
      if (!subject.isWanted)
        throw new MillraceError(
          NOT_WANTED,
          `${subject.spec.chain}-${subject.spec.slot} is not to be prepared any more`,
          { domain: 'platform', retriable: true },
        )
    }
    check()
    try {
      const state = await this.#stateOf(subject, preparation, check)
      const files = state.growing(preparation.state)
      this.#checkRoom(state.bytesLeft(files))
      await state.fill(files, {
        store: this.#parts.openStore(preparation.store),
        clock: this.#parts.ports.clock,
        checkWanted: check,
        onFile: onProgress,
      })
    } catch (error) {
      // It is restored up to some block, from where the next preparation continues.
      if (error instanceof MillraceError && error.code === NOT_WANTED) throw error
      await this.#drop(subject)
      throw error
    }
  }

  /** The prepared state, when these files continue it; else a new one. */
  async #stateOf(subject: Subject, { state }: Preparation, check: () => void): Promise<SubtaskState> {
    const before = subject.prepared
    if (before?.isBeginningOf(before.growing(state)) === true) return before
    await this.#drop(subject)
    return (subject.prepared = await this.#begin(subject.spec, check))
  }

  async #drop(subject: Subject): Promise<void> {
    const { prepared } = subject
    subject.prepared = undefined
    await prepared?.compiled.discard()
  }

  async #begin({ graph, chain, slot, baseDir }: SubtaskSpec, checkWanted: () => void): Promise<SubtaskState> {
    const { job, ports, connectors } = this.#parts
    const plan = executionPlan(decodeGraph(graph))
    return new SubtaskState(await compileSubtask({ job, plan, chain, slot, baseDir, ports, connectors, checkWanted }))
  }

  #checkRoom(bytes: number): void {
    const room = this.#parts.roomInMemory()
    if (bytes * BYTES_IN_MEMORY <= room) return
    throw new MillraceError(
      'PREPARATION_TOO_LARGE',
      `${bytes} bytes of state do not fit into memory beside what runs; there are ${room} bytes of room`,
      { domain: 'platform' },
    )
  }
}

const NOT_WANTED = 'PREPARATION_OVER'

function isSame(one: SubtaskSpec, other: SubtaskSpec): boolean {
  const { chain, slot, baseDir, store, graph } = other
  return (
    one.chain === chain &&
    one.slot === slot &&
    one.baseDir === baseDir &&
    one.store === store &&
    canonicalJson(one.graph) === canonicalJson(graph)
  )
}
