import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JobPhase } from '../../../../runtime/control/job-report.ts'
import { decide, type Facts, type Step } from '../../../../runtime/coordinator/decide.ts'

/** A job that was just asked for, all its workers registered. */
const ASKED: Facts = {
  phase: 'waiting',
  isLogOpen: true,
  wanted: { revision: 'b', desiredState: 'running' },
  run: undefined,
  finishedRevision: undefined,
  isHopeless: false,
  hasCheckpoint: false,
  initialStateFits: true,
  lacksWorkers: false,
  stateFits: false,
  hasStateToPrepare: false,
  preparation: 'none',
}
const RUN = { revision: 'b', hasFailed: false, isDrained: false, losesTooMuch: false }
const RUNNING: Facts = { ...ASKED, phase: 'running', run: RUN, hasCheckpoint: true }
/** Another revision is asked for than the one that runs. */
const EDITED: Facts = { ...RUNNING, run: { ...RUN, revision: 'a' } }
const SUSPENDED = { revision: 'b', desiredState: 'suspended' } as const

const TABLE: readonly [when: string, facts: Facts, step: Step][] = [
  ['the log is not open, whatever else', { ...RUNNING, isLogOpen: false }, 'openLog'],
  ['nothing was asked for', { ...ASKED, wanted: undefined }, 'wait'],
  ['all workers are there', ASKED, 'deploy'],
  ['a worker is missing', { ...ASKED, lacksWorkers: true }, 'awaitWorkers'],
  ['it starts from a savepoint that nobody has read', { ...ASKED, initialStateFits: false }, 'checkInitialState'],
  [
    'it has a checkpoint of its own and names a savepoint',
    { ...ASKED, hasCheckpoint: true, initialStateFits: false },
    'deploy',
  ],
  ['what is asked for runs', RUNNING, 'wait'],
  ['the running attempt has failed', { ...RUNNING, run: { ...RUN, hasFailed: true } }, 'abandon'],
  [
    'it has failed while a switch was prepared',
    { ...EDITED, run: { ...RUN, hasFailed: true }, preparation: 'stale' },
    'endPreparation',
  ],
  ['no attempt runs and errors came too often', { ...ASKED, phase: 'recovering', isHopeless: true }, 'giveUp'],
  ['it has given up', { ...ASKED, phase: 'failed', isHopeless: true }, 'wait'],
  [
    'it has given up and is to be suspended',
    { ...ASKED, phase: 'failed', isHopeless: true, wanted: SUSPENDED },
    'suspend',
  ],
  ['its inputs have ended', { ...RUNNING, run: { ...RUN, isDrained: true } }, 'finish'],
  [
    'its inputs have ended and too many records were skipped',
    { ...RUNNING, run: { ...RUN, isDrained: true, losesTooMuch: true } },
    'refuseResult',
  ],
  ['too many records were skipped so far', { ...RUNNING, run: { ...RUN, losesTooMuch: true } }, 'wait'],
  [
    'its inputs have ended and it is to be suspended',
    { ...RUNNING, run: { ...RUN, isDrained: true }, wanted: SUSPENDED },
    'finish',
  ],
  [
    'its inputs have ended and it has failed',
    { ...RUNNING, run: { ...RUN, isDrained: true, hasFailed: true } },
    'abandon',
  ],
  ['this revision has finished before', { ...ASKED, finishedRevision: 'b' }, 'stayFinished'],
  ['another revision has finished before', { ...ASKED, finishedRevision: 'a', hasCheckpoint: true }, 'deploy'],
  ['it is to be suspended', { ...RUNNING, wanted: SUSPENDED }, 'suspend'],
  ['it is to be suspended and lacks workers', { ...RUNNING, wanted: SUSPENDED, lacksWorkers: true }, 'suspend'],
  ['another revision is asked for', EDITED, 'checkStateFits'],
  ['another revision is asked for and lacks workers', { ...EDITED, lacksWorkers: true }, 'awaitWorkers'],
  ['the state fits and there is none to prepare', { ...EDITED, stateFits: true }, 'switch'],
  ['the state fits and can be prepared', { ...EDITED, stateFits: true, hasStateToPrepare: true }, 'prepare'],
  ['the preparation goes on', { ...EDITED, stateFits: true, hasStateToPrepare: true, preparation: 'underway' }, 'wait'],
  ['the preparation is over', { ...EDITED, stateFits: true, hasStateToPrepare: true, preparation: 'over' }, 'switch'],
  [
    'a checkpoint came during the preparation',
    { ...EDITED, hasStateToPrepare: true, preparation: 'underway' },
    'checkStateFits',
  ],
  ['the edit was taken back while it was prepared', { ...RUNNING, preparation: 'stale' }, 'endPreparation'],
]

test.each(TABLE)('when %s, the next step follows', (_, facts, step) => {
  expect(decide(facts)).toBe(step)
})

const PHASES: readonly JobPhase[] = [
  'waiting',
  'deploying',
  'running',
  'switching',
  'recovering',
  'suspended',
  'finished',
  'failed',
]

const anyFacts: fc.Arbitrary<Facts> = fc.record({
  phase: fc.constantFrom(...PHASES),
  isLogOpen: fc.boolean(),
  wanted: fc.option(
    fc.record({
      revision: fc.constantFrom('a', 'b'),
      desiredState: fc.constantFrom('running' as const, 'suspended' as const),
    }),
    { nil: undefined },
  ),
  run: fc.option(
    fc.record({
      revision: fc.constantFrom('a', 'b'),
      hasFailed: fc.boolean(),
      isDrained: fc.boolean(),
      losesTooMuch: fc.boolean(),
    }),
    { nil: undefined },
  ),
  finishedRevision: fc.constantFrom(undefined, 'a', 'b'),
  isHopeless: fc.boolean(),
  hasCheckpoint: fc.boolean(),
  initialStateFits: fc.boolean(),
  lacksWorkers: fc.boolean(),
  stateFits: fc.boolean(),
  hasStateToPrepare: fc.boolean(),
  preparation: fc.constantFrom('none' as const, 'underway' as const, 'over' as const, 'stale' as const),
})

describe('whatever the facts', () => {
  const always = (holds: (facts: Facts, step: Step) => boolean): void => {
    fc.assert(
      fc.property(anyFacts, (facts) => holds(facts, decide(facts))),
      { numRuns: 3000 },
    )
  }

  test('a running attempt is stopped only by its failure, its end, a suspension, or another revision whose state fits', () => {
    always((facts, step) => {
      if (facts.run === undefined) return true
      if (step === 'abandon') return facts.run.hasFailed
      if (step === 'finish') return facts.run.isDrained
      if (step === 'suspend') return facts.wanted?.desiredState === 'suspended'
      if (step === 'switch')
        return facts.stateFits && !facts.lacksWorkers && facts.run.revision !== facts.wanted?.revision
      return step !== 'deploy' && step !== 'giveUp'
    })
  })

  test('an attempt is deployed only beside none, with all workers, and not after too many errors', () => {
    always((facts, step) => step !== 'deploy' || (facts.run === undefined && !facts.lacksWorkers && !facts.isHopeless))
  })

  test('steps that need a running attempt are taken only with one', () => {
    const needing: readonly Step[] = ['abandon', 'finish', 'checkStateFits', 'prepare', 'switch']
    always((facts, step) => !needing.includes(step) || facts.run !== undefined)
  })

  test('a job that starts from a savepoint is not deployed before the savepoint was found to fit', () => {
    always((facts, step) => step !== 'deploy' || facts.hasCheckpoint || facts.initialStateFits)
  })
})
