import { isOver } from './job-phase.ts'
import type { JobPhase } from '../control/job-report.ts'
import type { JobTarget } from '../model/job.ts'

/** All that the next step depends on: read at once, never changed. Plain data. */
export interface Facts {
  readonly phase: JobPhase
  readonly isLogOpen: boolean
  /** What is asked for; undefined until somebody asks. */
  readonly wanted: Pick<JobTarget, 'revision' | 'desiredState'> | undefined
  /** The running attempt. `isDrained`: its bounded inputs have ended everywhere. */
  readonly run:
    | {
        readonly revision: string
        readonly hasFailed: boolean
        readonly isDrained: boolean
        /** An operator has skipped more records than the job allows. */
        readonly losesTooMuch: boolean
      }
    | undefined
  /** The revision that has run to its end, as the log says. */
  readonly finishedRevision: string | undefined
  /** The same error has ended too many attempts. */
  readonly isHopeless: boolean
  /** The log names a checkpoint to start from. */
  readonly hasCheckpoint: boolean
  /** The savepoint that the target starts from was read and fits, or the target names none. */
  readonly initialStateFits: boolean
  /** A worker of the wanted plan is not registered. */
  readonly lacksWorkers: boolean
  /** The state of the running attempt was compared with the wanted graph, and has its place there. */
  readonly stateFits: boolean
  /** There is state that workers could restore before the running attempt stops. */
  readonly hasStateToPrepare: boolean
  /** stale: made for another attempt or target than those of now. */
  readonly preparation: 'none' | 'underway' | 'over' | 'stale'
}

/** What the coordinator does next. Each step changes facts or waits for them to change. */
export type Step =
  | 'wait'
  | 'openLog'
  | 'endPreparation'
  | 'abandon'
  | 'giveUp'
  | 'stayFinished'
  | 'finish'
  | 'refuseResult'
  | 'suspend'
  | 'checkInitialState'
  | 'awaitWorkers'
  | 'checkStateFits'
  | 'prepare'
  | 'switch'
  | 'deploy'

/** One step towards the target. Pure; the order of the rules is their priority. */
export function decide(facts: Facts): Step {
  const { wanted, run } = facts
  if (!facts.isLogOpen) return 'openLog'
  if (wanted === undefined) return 'wait'
  if (facts.preparation === 'stale') return 'endPreparation'
  if (run?.hasFailed === true) return 'abandon'
  if (run === undefined && facts.isHopeless && !isOver(facts.phase)) return 'giveUp'
  if (run === undefined && facts.finishedRevision === wanted.revision) return 'stayFinished'
  if (run?.isDrained === true) return run.losesTooMuch ? 'refuseResult' : 'finish'
  if (wanted.desiredState === 'suspended') return 'suspend'
  if (run?.revision === wanted.revision || facts.isHopeless) return 'wait'
  if (run === undefined && !facts.hasCheckpoint && !facts.initialStateFits) return 'checkInitialState'
  if (facts.lacksWorkers) return 'awaitWorkers'
  return run === undefined ? 'deploy' : decideSwitch(facts)
}

/** Another revision is wanted than the one that runs, and all its workers are there. */
function decideSwitch(facts: Facts): Step {
  if (!facts.stateFits) return 'checkStateFits'
  if (facts.preparation === 'underway') return 'wait'
  return facts.preparation === 'none' && facts.hasStateToPrepare ? 'prepare' : 'switch'
}
