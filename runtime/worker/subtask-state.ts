import { memberOf } from '../model/fields.ts'
import { readBlocks } from '../checkpoint/state-file.ts'
import { restOf, type BlockPlace, type FileRest } from '../checkpoint/state-rest.ts'
import { MillraceError } from '../model/errors.ts'
import type { StateFile } from '../model/snapshot.ts'
import type { OperatorState } from '../operators/stage.ts'
import { keyGroupsOfSlot, type KeyGroupRange } from '../plan/key-groups.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { CompiledSubtask } from './compiled-subtask.ts'

/** The files of each operator, in the order in which they are to be restored. */
export type FilesByOperator = Readonly<Record<string, readonly StateFile[]>>

export interface FillContext {
  store: Store
  clock: Clock
  /** Called between blocks; throws when the state is no longer wanted. Blocks restored until then stay counted. */
  checkWanted(): void
  /** Called after each file of which something was restored. */
  onFile?(): void
}

interface OperatorRest {
  state: OperatorState
  rest: readonly FileRest[]
  restored: Map<number, BlockPlace[]>
}

/** The second stage of a subtask: its state holds all that its attempt starts from. */
export interface RestoredSubtask {
  readonly stage: 'restored'
  readonly compiled: CompiledSubtask
}

/** The state of a compiled subtask: which blocks of which files were restored, so that more can be added. */
export class SubtaskState {
  readonly compiled: CompiledSubtask
  readonly #restored = new Map<string, Map<number, BlockPlace[]>>()

  constructor(compiled: CompiledSubtask) {
    this.compiled = compiled
  }

  /** The files of operators whose state appends: of the others hardly a checkpoint begins as the one before. */
  growing(files: FilesByOperator): FilesByOperator {
    return Object.fromEntries(
      Object.entries(files).filter(([operator]) => this.compiled.operators.states.get(operator)?.appends === true),
    )
  }

  /** Whether what has been restored is a beginning of these files: otherwise it is of no use for them. */
  isBeginningOf(files: FilesByOperator): boolean {
    return this.#rests(files) !== undefined
  }

  /** Bytes of blocks that `fill` would restore. */
  bytesLeft(files: FilesByOperator): number {
    return (this.#rests(files) ?? []).reduce(
      (sum, { rest }) =>
        sum + rest.reduce((of, { blocks }) => of + blocks.reduce((bytes, [, , length]) => bytes + length, 0), 0),
      0,
    )
  }

  /**
   * Restores what is in these files and has not been restored yet, in slices between turns of the loop. Only where
   * `isBeginningOf` says so. After any error but that of `checkWanted` it is of no use.
   */
  async fill(files: FilesByOperator, context: FillContext): Promise<void> {
    const rests = this.#rests(files)
    if (rests === undefined)
      throw new MillraceError('STATE_CONTRADICTS', 'state was to be added to that of other files')
    for (const one of rests) await this.#restore(one, context)
  }

  /** Called once, after the last file. */
  finish(): RestoredSubtask {
    for (const state of this.compiled.operators.states.values()) state.restored?.()
    return { stage: 'restored', compiled: this.compiled }
  }

  #rests(files: FilesByOperator): OperatorRest[] | undefined {
    const rests: OperatorRest[] = []
    for (const [operator, state] of this.compiled.operators.states) {
      const restored = this.#restoredOf(operator)
      const rest = restOf(restored, memberOf(files, operator) ?? [], this.#rangeOf(state))
      if (rest === undefined) return undefined
      rests.push({ state, rest, restored })
    }
    return rests
  }

  #restoredOf(operator: string): Map<number, BlockPlace[]> {
    const known = this.#restored.get(operator) ?? new Map<number, BlockPlace[]>()
    this.#restored.set(operator, known)
    return known
  }

  async #restore(
    { state, rest, restored }: OperatorRest,
    { store, clock, checkWanted, onFile }: FillContext,
  ): Promise<void> {
    const turn = (): Promise<void> =>
      new Promise((resolve) => {
        clock.nextTurn(resolve)
      })
    let current: StateFile | undefined
    for await (const {
      file,
      row: [group, offset, length],
      bytes,
    } of readBlocks(store, rest, turn)) {
      checkWanted()
      if (current !== undefined && current !== file) onFile?.()
      current = file
      state.restore(group, bytes)
      const place = { path: file.path, sha256: file.sha256, offset, length }
      const places = restored.get(group)
      if (places) places.push(place)
      else restored.set(group, [place])
    }
    if (current !== undefined) onFile?.()
    checkWanted()
  }

  #rangeOf(state: OperatorState): KeyGroupRange {
    const { plan, chain, slot } = this.compiled
    return state.scope === 'broadcast'
      ? { first: 0, endExclusive: 1 }
      : keyGroupsOfSlot(slot, plan.maxParallelism, chain.parallelism)
  }
}
