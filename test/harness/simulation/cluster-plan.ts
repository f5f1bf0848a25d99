import type { StreamJobSpec } from '../../../operator/api/stream-job.ts'
import { mulberry } from '../../../sim/seeded-random.ts'
import { windowJob } from './window-job.ts'

/** What a user writes into the spec. */
export type Edit =
  | { kind: 'scale'; replicas: number }
  /** Another graph that computes the same. */
  | { kind: 'graph' }
  /** Other pods, which take over from those that run; those of MISSING_IMAGE never start. */
  | { kind: 'pods'; nonce: string }
  | { kind: 'suspend' }
  | { kind: 'resume' }
  /** A graph that is refused until the next `graph`. */
  | { kind: 'invalid' }

export type ClusterFault =
  | { kind: 'killOperator' }
  /** Stands still, so that another one takes over, and goes on where it was. */
  | { kind: 'pauseOperator'; ms: number }
  | { kind: 'cutOperator'; ms: number }
  | { kind: 'killProcess' | 'cutConnection' | 'evict' | 'deletePod'; pod: number }
  | { kind: 'pauseProcess'; pod: number; ms: number }
  | { kind: 'cutNode'; node: 'a' | 'b'; ms: number; then: 'wait' | 'forceDelete' }

export interface ClusterPlan {
  seed: number
  replicas: number
  edits: readonly { at: number; edit: Edit }[]
  /** When the user asks for a savepoint. */
  savepoints: readonly number[]
  /**
   * Comes to its end undisturbed and is deleted then, or is deleted with the last edit, in the middle of
   * everything.
   */
  ending: 'finish' | 'delete'
  faults: readonly { at: number; fault: ClusterFault }[]
  /**
   * The operator dies when it sends its n-th write to the API server (counted over all of them), or when that has
   * acted.
   */
  crashes: readonly { write: number; when: 'before' | 'after' }[]
  operators: 1 | 2
  /** Clocks of machines differ by minutes. */
  operatorAheadMs: number
  addressing: 'service' | 'podIP'
  checkpoints: 'signed' | 'sealed'
  /** Shares of calls. */
  rates: { kube: number; watch: number; jobApi: number; store: number }
  /** Only the operator and its calls suffer: nothing may show in the job. */
  isJobSpared: boolean
}

/** How the restartNonce of pods begins that no node can start. */
export const MISSING_IMAGE = 'missing'

const INTERVAL = '1500ms'
const PACE = '9/s'

/** A life drawn from a seed: some edits, often in the middle of what the one before has begun, and faults. */
export function clusterPlan(seed: number): ClusterPlan {
  const random = mulberry(seed)
  const below = (end: number): number => Math.floor(random() * end)
  const isJobSpared = random() < 0.5
  const operators = random() < 0.3 ? 2 : 1
  const edits: { at: number; edit: Edit }[] = []
  let at = 0
  for (let left = 2 + below(4); left > 0; left--) {
    at += random() < 0.4 ? below(800) : 1_000 + below(9_000)
    edits.push({ at, edit: drawEdit(random, edits.length) })
  }
  const faults: { at: number; fault: ClusterFault }[] = []
  for (let left = below(isJobSpared ? 4 : 8); left > 0; left--)
    faults.push({
      at: below(at + 4_000),
      fault: isJobSpared ? operatorFault(random, operators) : anyFault(random, operators),
    })
  return {
    seed,
    replicas: 1 + below(2),
    edits,
    savepoints: Array.from({ length: below(3) }, () => below(at + 2_000)),
    ending: random() < 0.85 ? 'finish' : 'delete',
    faults: faults.sort((a, b) => a.at - b.at),
    crashes: Array.from({ length: below(5) }, () => ({
      write: below(50),
      when: random() < 0.5 ? ('before' as const) : ('after' as const),
    })),
    operators,
    operatorAheadMs: [0, 300_000, -300_000][seed % 3] ?? 0,
    addressing: random() < 0.5 ? 'service' : 'podIP',
    checkpoints: seed % 2 === 0 ? 'signed' : 'sealed',
    isJobSpared,
    rates: {
      kube: random() < 0.4 ? 0 : 0.06,
      watch: random() < 0.5 ? 0 : 0.1,
      jobApi: random() < 0.5 ? 0 : 0.05,
      store: isJobSpared || random() < 0.6 ? 0 : 0.02,
    },
  }
}

function drawEdit(random: () => number, count: number): Edit {
  const draw = random()
  if (draw < 0.4) return { kind: 'scale', replicas: 1 + Math.floor(random() * 3) }
  if (draw < 0.55) return { kind: 'graph' }
  if (draw < 0.7) return { kind: 'pods', nonce: count % 2 === 1 ? `${MISSING_IMAGE}-${count}` : String(count) }
  if (draw < 0.82) return { kind: 'suspend' }
  if (draw < 0.93) return { kind: 'resume' }
  return { kind: 'invalid' }
}

function operatorFault(random: () => number, operators: 1 | 2): ClusterFault {
  const draw = random()
  if (draw < 0.3) return { kind: 'cutOperator', ms: 1_000 + random() * 12_000 }
  // Without a lease no second one may run: then it is only killed.
  return draw < 0.65 && operators === 2
    ? { kind: 'pauseOperator', ms: 1_000 + random() * 25_000 }
    : { kind: 'killOperator' }
}

function anyFault(random: () => number, operators: 1 | 2): ClusterFault {
  const pod = Math.floor(random() * 12)
  const draw = random()
  if (draw < 0.2) return operatorFault(random, operators)
  if (draw < 0.55) return { kind: 'killProcess', pod }
  if (draw < 0.65) return { kind: 'cutConnection', pod }
  if (draw < 0.72) return { kind: 'evict', pod }
  if (draw < 0.78) return { kind: 'deletePod', pod }
  if (draw < 0.88) return { kind: 'pauseProcess', pod, ms: 200 + random() * 15_000 }
  return {
    kind: 'cutNode',
    node: random() < 0.5 ? 'a' : 'b',
    ms: 2_000 + random() * 20_000,
    then: random() < 0.5 ? 'wait' : 'forceDelete',
  }
}

export function firstSpec({ replicas }: ClusterPlan): StreamJobSpec {
  return { ...graphOf('slow', 0), replicas, maxParallelism: 128, desiredState: 'Running' }
}

/** How the filter may be written so that it says the same. */
const FILTERS = ["price > 100 && channel !== 'c'", "channel !== 'c' && price > 100"] as const

function graphOf(pace: 'slow' | 'fast', variant: number): Pick<StreamJobSpec, 'graph' | 'checkpoints'> {
  const { graph, checkpoints } = windowJob(1, {
    folder: '/data',
    interval: INTERVAL,
    ...(pace === 'slow' ? { rate: PACE } : {}),
  })
  return {
    graph: graph.map((entry) =>
      entry.id === 'dear' ? { ...entry, filter: FILTERS[variant % FILTERS.length] } : entry,
    ),
    checkpoints,
  }
}

export function edited(spec: StreamJobSpec, edit: Edit, variant: number): StreamJobSpec {
  switch (edit.kind) {
    case 'scale':
      return { ...spec, replicas: edit.replicas }
    case 'graph':
      return { ...spec, ...graphOf('slow', variant) }
    case 'pods':
      return { ...spec, restartNonce: edit.nonce }
    case 'suspend':
      return { ...spec, desiredState: 'Suspended' }
    case 'resume':
      return { ...spec, desiredState: 'Running' }
    case 'invalid':
      return {
        ...spec,
        graph: spec.graph.map((entry) =>
          (entry as { id: string }).id === 'dear' ? { ...(entry as object), filter: 'prize > 100' } : entry,
        ),
      }
  }
}

/** After all edits: valid, on pods that start, and to run. */
export function settledSpec(spec: StreamJobSpec): StreamJobSpec {
  const { restartNonce = '', ...rest } = { ...spec, ...graphOf('slow', 0), desiredState: 'Running' as const }
  return restartNonce.startsWith(MISSING_IMAGE) ? rest : { ...rest, restartNonce }
}

/** As fast as it goes, so that it comes to its end. */
export function finishingSpec(spec: StreamJobSpec): StreamJobSpec {
  return { ...spec, ...graphOf('fast', 0) }
}
