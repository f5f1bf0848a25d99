/**
 * Mistakes that could be made in the protocol, as edits of the source. A simulation loads the edited source and must
 * find that promises are broken (recipe R3 of mutation testing). Production code knows nothing of them.
 */
export interface PlantedBug {
  /** The mistake, in a sentence. */
  readonly what: string
  /** The file that is edited, from the root of the repository. */
  readonly file: string
  /** Each text stands exactly once in the file, and is replaced. */
  readonly edits: readonly (readonly [find: string, replace: string])[]
}

const bug = (what: string, file: string, ...edits: PlantedBug['edits']): PlantedBug => ({ what, file, edits })
const COORDINATOR = 'runtime/coordinator/coordinator.ts'

export const PLANTED_BUGS = {
  noAlign: bug('barriers do not hold back the channels they came on', 'runtime/exchange/barrier-aligner.ts', [
    'return this.#arrived.has(channel)',
    'return false && this.#arrived.has(channel)',
  ]),
  commitOnSnapshot: bug('output becomes visible before its checkpoint is complete', 'runtime/task/subtask.ts', [
    'const committables: Record<string, readonly Committable[]> = {}',
    'this.complete(checkpoint); const committables: Record<string, readonly Committable[]> = {}',
  ]),
  noRecommit: bug(
    'what a checkpoint prepared is not committed again by a restore',
    'runtime/worker/deploy-subtask.ts',
    ['writer.open(recovered, ', 'writer.open([], '],
  ),
  readBeforeFence: bug(
    'the newest checkpoint is read before older coordinators are fenced',
    COORDINATOR,
    ['const attempt = await log.claim(', 'const beforeClaim = log.view().newest; const attempt = await log.claim('],
    ['const newest = log.view().newest ?? (await', 'const newest = beforeClaim ?? (await'],
  ),
  completeBeforeLog: bug(
    'sinks are told to commit before the checkpoint is in the log',
    'runtime/coordinator/attempt-run.ts',
    [
      "await log.append(attempt, {\n      kind: 'checkpoint',",
      "this.#broadcast({ kind: 'complete', attempt, checkpoint: pending.id }); await log.append(attempt, {\n      kind: 'checkpoint',",
    ],
  ),
  stateBySlot: bug(
    'a restore gives each slot the state of the same slot, whatever its key groups are',
    'runtime/checkpoint/restore-assignment.ts',
    [
      'return snapshotsOf(manifest)\n    .flatMap((snapshot) => memberOf(snapshot.state, operator) ?? [])',
      'return [manifest?.subtasks[`${chain.id}-${slot}`]]\n    .flatMap((snapshot) => snapshot?.state[operator] ?? [])',
    ],
  ),
  preparedIsEnough: bug('state that was prepared for a switch counts as all of it', 'runtime/worker/subtask-state.ts', [
    'const rest = restOf(',
    'const rest = restored.size > 0 ? [] : restOf(',
  ]),
  prefixUnchecked: bug(
    'prepared state is used though the files it came from are not those of the restore',
    'runtime/checkpoint/state-rest.ts',
    ['else if (!isSame(before, file, row)) return undefined', 'else if (false) return undefined'],
    ['if ((met.get(group) ?? 0) < blocks.length) return undefined', 'if (false) return undefined'],
  ),
  sweepGivenUp: bug(
    'what a checkpoint has written that is given up is swept at once',
    'runtime/coordinator/attempt-checkpoints.ts',
    [
      'return this.#onError(run, error)',
      'await this.#sweep(run.parts.log, run, { attempt: run.parts.attempt, id: Infinity }); return this.#onError(run, error)',
    ],
  ),
  switchWithoutSavepoint: bug('a running attempt is given up for another spec without a savepoint', COORDINATOR, [
    'await this.#checkpoints.stopAtSavepoint(run, null)',
    '',
  ]),
  actBeforeIntent: bug('the operator acts before its status says what for', 'operator/streamjob/reconcile.ts', [
    'const current = await intend(parts, observed, decision)',
    'await carryOut(parts, observed, decision); const current = await intend(parts, observed, decision)',
  ]),
  blindStatus: bug('the operator writes its status on whatever version is there', 'operator/streamjob/reconcile.ts', [
    '{ metadata: { resourceVersion }, status }',
    '{ metadata: { resourceVersion: undefined }, status }',
  ]),
  forgetTerminating: bug('pods that are still ending count as gone', 'operator/streamjob/observe.ts', [
    'named.filter((pod) => isOwnedBy(pod, job))',
    'named.filter((pod) => isOwnedBy(pod, job) && pod.metadata.deletionTimestamp === undefined)',
  ]),
  upgradeWithoutSavepoint: bug(
    'pods are replaced while they run the job',
    'operator/streamjob/decide-upgrade.ts',
    [
      "if ((step === 'start' || step === 'savepoint') && nothingRuns(upgrade)) return replace(upgrade)",
      'return replace(upgrade)',
    ],
    [
      "if (coordinator.kind === 'reached' && coordinator.report.phase === 'running')\n    return start(",
      "if (coordinator.kind === 'absent')\n    return start(",
    ],
  ),
  takesOverTooSoon: bug(
    'new pods get the job before the old ones have stopped it',
    'operator/streamjob/decide-upgrade.ts',
    ['if (!isOver && !isGivenUp(observed, operation))', 'if (!isOver && isGivenUp(observed, operation))'],
  ),
  claimsBesideOthers: bug(
    'a coordinator that starts beside the one that runs the job takes up its target',
    COORDINATOR,
    ['if (!this.#standsBy) this.#takeUp(view)', 'this.#takeUp(view)'],
  ),
  surplusFirst: bug(
    'a smaller job loses its surplus pods before it has been rescaled',
    'operator/streamjob/decide.ts',
    [
      'const isOtherStart = report.attempt === 0',
      'if (surplusPods(observed, wanted, []).length > 0) return tidyUp(observed, wanted, []); const isOtherStart = report.attempt === 0',
    ],
  ),
  noDrain: bug(
    'a barrier goes on while calls of rows before it are under way',
    'runtime/operators/async-map/async-map-stage.ts',
    [
      'async drain(): Promise<void> {',
      'async drain(): Promise<void> { if (this.#pending.at(-1)?.time !== MAX_TIMESTAMP) return',
    ],
  ),
  watermarkAhead: bug(
    'a watermark goes on before the results of calls of rows before it',
    'runtime/operators/async-map/async-map-stage.ts',
    [
      'const last = this.#pending.at(-1)',
      'if (time !== MAX_TIMESTAMP) return this.#context.next.onWatermark(time); const last = this.#pending.at(-1)',
    ],
  ),
} as const satisfies Readonly<Record<string, PlantedBug>>

export type PlantedBugName = keyof typeof PLANTED_BUGS

export function isPlantedBugName(name: string): name is PlantedBugName {
  return Object.hasOwn(PLANTED_BUGS, name)
}

/** The source with the bug in it. Throws where an edit no longer applies, or would apply twice. */
export function planted({ edits, file }: PlantedBug, source: string): string {
  return edits.reduce((text, [find, replace]) => {
    const found = text.split(find).length - 1
    if (found !== 1) throw new Error(`${file} has ${found} places that read ${JSON.stringify(find)}, not one`)
    return text.replace(find, () => replace)
  }, source)
}
