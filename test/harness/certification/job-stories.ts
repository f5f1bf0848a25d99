import { KubeError } from '../../../operator/kube/errors.ts'
import { imageOf } from '../../../operator/resources/job-pod.ts'
import type { JobReport } from '../../../runtime/control/job-report.ts'
import { JobScene } from './job-scene.ts'
import type { Story } from './story.ts'
import type { Strike } from './strike.ts'

type JobStory = Story<JobScene>
type Act = JobStory['acts'][number]

const PEERS = ['API server', 'coordinator', 'watch'] as const

const created = async (strike: Strike): Promise<JobScene> => {
  const scene = new JobScene(strike)
  await scene.create()
  return scene
}
const running = async (strike: Strike): Promise<JobScene> => (await created(strike)).untilSettled('Running')
const suspended = async (strike: Strike): Promise<JobScene> => {
  const scene = await running(strike)
  scene.edit({ desiredState: 'Suspended' })
  return scene.untilSettled('Suspended')
}

const edits =
  (changes: Record<string, unknown>) =>
  (scene: JobScene): void => {
    scene.edit(changes)
  }
const deletes = (scene: JobScene): Promise<void> => scene.delete()

/** The same graph with a filter before the window. */
const FILTERED = [
  {
    id: 'bids',
    source: { nexmark: {} },
    schema: { auction: 'long', price: 'long', at: 'timestamp' },
    eventTime: { field: 'at' },
  },
  { id: 'dear', from: 'bids', filter: 'price > 100' },
  { id: 'hot', from: 'dear', keyBy: 'auction', window: { tumble: '10s' }, aggregate: { bids: 'count()' } },
  { id: 'out', from: 'hot', sink: { console: {} } },
]

const BROKEN = { code: 'USER_CODE_THREW', message: 'x is not a function', domain: 'user', retriable: false } as const

/** Attempts of this image are given up. */
const breaks = (scene: JobScene, image: string): void => {
  scene.onReport = (report: JobReport) => {
    if (imageOf(scene.world.pod('counts-coordinator')) === image && report.phase === 'running')
      Object.assign(report, { phase: 'failed', error: BROKEN, checkpoint: null })
  }
}

/** Attempts of every spec but this one are given up. */
const breaksAllBut = (scene: JobScene, revision: string | null): void => {
  scene.onReport = (report: JobReport) => {
    if (report.targetRevision !== revision && report.phase === 'running')
      Object.assign(report, { phase: 'failed', error: BROKEN, checkpoint: null })
  }
}

const runsWith =
  (pods: number) =>
  (scene: JobScene): boolean =>
    scene.isSettled('Running') && scene.world.podNames().length === pods
const isSuspended = (scene: JobScene): boolean => scene.isSettled('Suspended') && scene.world.podNames().length === 0
const isGone = (scene: JobScene): boolean => scene.world.job() === undefined && scene.world.podNames().length === 0
const isRolledBack = (scene: JobScene): boolean => {
  const { status } = scene.world.job() ?? {}
  return (
    status?.rolledBack != null &&
    scene.world.condition('Stable') === 'False/RolledBack' &&
    scene.world.coordinatorReport().phase === 'running' &&
    scene.world.podNames().length === 5 &&
    (status.operation ?? null) === null &&
    (status.untold ?? []).length === 0
  )
}

const imagesOf = ({ world }: JobScene): string =>
  world
    .podNames()
    .map((name) => imageOf(world.pod(name)))
    .join(' ')

const wants = (what: string, holds: (scene: JobScene) => boolean) => (scene: JobScene) =>
  holds(scene) ? undefined : `not so: ${what}`

const OPERATIONS: readonly Omit<JobStory, 'peers'>[] = [
  { name: 'deploy', begin: created, acts: [], isOver: runsWith(5), wrong: wants('one attempt', attempts(1)) },
  {
    name: 'rescale up',
    begin: running,
    acts: [{ act: edits({ replicas: 3 }) }],
    isOver: runsWith(7),
    wrong: wants('two attempts', attempts(2)),
  },
  {
    name: 'rescale down',
    begin: running,
    acts: [{ act: edits({ replicas: 1 }) }],
    isOver: runsWith(3),
    wrong: wants('two attempts', attempts(2)),
  },
  {
    name: 'autoscale',
    begin: async (strike) => {
      const scene = new JobScene(strike)
      await scene.create({ autoscaler: { mode: 'Apply', maxReplicas: 8 } })
      return scene.untilSettled('Running')
    },
    acts: [{ act: isToHaveFourHotSlots }],
    isOver: runsWith(7),
    wrong: wants('two attempts', attempts(2)),
  },
  {
    name: 'upgrade of the image',
    begin: running,
    acts: [{ act: edits({ image: 'millrace:2' }) }],
    isOver: runsWith(5),
    wrong: wants(
      'one savepoint, and the new image',
      (scene) => scene.world.store.savepointsTaken === 1 && imagesOf(scene) === Array(5).fill('millrace:2').join(' '),
    ),
  },
  {
    name: 'upgrade of the graph',
    begin: running,
    acts: [{ act: edits({ graph: FILTERED }) }],
    isOver: runsWith(5),
    wrong: wants('the new graph', ({ world }) => JSON.stringify(world.targets.at(-1)).includes('price > 100')),
  },
  {
    name: 'rollback',
    begin: running,
    acts: [
      {
        act: (scene) => {
          breaks(scene, 'millrace:2')
          scene.edit({ image: 'millrace:2' })
        },
      },
    ],
    isOver: isRolledBack,
    wrong: wants('the old image', (scene) => imagesOf(scene) === Array(5).fill('millrace:1').join(' ')),
  },
  {
    name: 'rollback over two edits',
    begin: running,
    acts: [
      {
        act: (scene) => {
          scene.edit({ replicas: 3, upgrade: { stability: '1h' } })
        },
      },
      {
        when: ({ world }) => world.coordinatorReport().phase === 'running' && world.podNames().length === 7,
        act: (scene) => {
          breaksAllBut(scene, scene.world.targets[0]?.revision ?? null)
          scene.edit({ replicas: 4, restartNonce: 'b' })
        },
      },
    ],
    isOver: isRolledBack,
    wrong: wants('the spec that held', ({ world }) => world.targets.at(-1)?.revision === world.targets[0]?.revision),
  },
  { name: 'suspend', begin: running, acts: [{ act: edits({ desiredState: 'Suspended' }) }], isOver: isSuspended },
  {
    name: 'suspend without a savepoint',
    begin: running,
    acts: [
      {
        act: (scene) => {
          scene.world.coordinatorReport().phase = 'failed'
          scene.edit({ desiredState: 'Suspended' })
        },
      },
    ],
    isOver: isSuspended,
  },
  {
    name: 'resume',
    begin: suspended,
    acts: [{ act: edits({ desiredState: 'Running' }) }],
    isOver: runsWith(5),
    wrong: wants('two attempts', attempts(2)),
  },
  {
    name: 'savepoint',
    begin: running,
    acts: [
      { act: (scene) => scene.askForSavepoint() },
      {
        when: (scene) => scene.savepoint()?.status?.phase === 'Completed',
        act: (scene) => {
          if (scene.world.store.savepoints.size !== 1) throw new Error('a savepoint too many')
        },
      },
    ],
    isOver: (scene) => scene.isSettled('Running') && scene.savepoint()?.status?.phase === 'Completed',
    wrong: wants('one savepoint', ({ world }) => world.store.savepointsTaken === 1),
  },
  {
    name: 'savepoint, deleted with its files',
    begin: running,
    acts: [
      { act: (scene) => scene.askForSavepoint() },
      {
        when: (scene) => scene.savepoint()?.status?.phase === 'Completed',
        act: (scene) => scene.deleteSavepoint(),
      },
    ],
    isOver: (scene) => scene.isSettled('Running') && scene.savepoint() === undefined,
    wrong: wants('no files', ({ world }) => world.store.savepoints.size === 0),
  },
  {
    name: 'recover a worker',
    begin: running,
    acts: [loses('counts-hot-1')],
    isOver: (scene) => runsWith(5)(scene) && scene.world.store.attempt === 2,
  },
  {
    name: 'recover the coordinator',
    begin: running,
    acts: [loses('counts-coordinator')],
    isOver: (scene) => runsWith(5)(scene) && scene.world.store.attempt === 2,
  },
  {
    name: 'edit during an upgrade',
    begin: running,
    acts: [
      { act: edits({ image: 'millrace:2' }) },
      { when: ({ world }) => world.podNames().length === 10, act: edits({ image: 'millrace:3' }) },
    ],
    isOver: runsWith(5),
    wrong: wants('the newest image', (scene) => imagesOf(scene) === Array(5).fill('millrace:3').join(' ')),
  },
  {
    name: 'edit there and back during an upgrade',
    begin: running,
    acts: [
      { act: edits({ image: 'millrace:2' }) },
      { when: ({ world }) => world.podNames().length === 10, act: edits({ image: 'millrace:1' }) },
    ],
    isOver: runsWith(5),
    wrong: wants('the first image', (scene) => imagesOf(scene) === Array(5).fill('millrace:1').join(' ')),
  },
  { name: 'delete', begin: running, acts: [{ act: deletes }], isOver: isGone },
  {
    name: 'delete that leaves pods behind',
    begin: async (strike) => {
      const scene = await running(strike)
      scene.edit({ deletion: { deadline: '2s' } })
      return scene.untilSettled('Running')
    },
    acts: [
      {
        act: (scene) => {
          scene.world.unreachable = true
          scene.world.kube.before = (call) => {
            if (call.startsWith('delete pods')) throw new KubeError('not found', { status: 404, reason: 'NotFound' })
          }
          return scene.delete()
        },
      },
    ],
    isOver: (scene) => scene.world.job() === undefined,
  },
]

/** When an operation is half done: what was done by then, whatever the operator knows of it. */
const HALF_DONE: Readonly<Record<string, NonNullable<Act['when']>>> = {
  deploy: ({ world }) => world.podNames().length === 5,
  'rescale up': ({ world }) => world.podNames().length === 7,
  'rescale down': ({ world }) => world.targets.length === 2,
  autoscale: ({ world }) => world.podNames().length === 7,
  'upgrade of the image': ({ world }) => world.podNames().length === 10,
  'upgrade of the graph': ({ world }) => world.podNames().length === 10 || world.targets.length === 2,
  rollback: ({ world }) => world.job()?.status?.rolledBack != null,
  suspend: ({ world }) => world.targets.at(-1)?.desiredState === 'suspended',
  resume: ({ world }) => world.podNames().length === 5,
  savepoint: ({ world }) => world.store.savepointsTaken === 1,
  'recover a worker': ({ world }) => world.podNames().length === 5,
  'recover the coordinator': ({ world }) => world.podNames().length === 5,
}

/**
 * Each operation of a StreamJob, and its deletion while each of them is half done. With controllers, a
 * deletion meets a job elsewhere in its operation when its operator was dead for a moment: there no calls are struck.
 */
export const JOB_STORIES: readonly JobStory[] = [
  ...OPERATIONS.map((story) => ({ ...story, peers: [...PEERS, 'cached API server'] as const })),
  ...OPERATIONS.flatMap((operation): JobStory[] => {
    const when = new Map(Object.entries(HALF_DONE)).get(operation.name)
    if (when === undefined) return []
    const [first] = operation.acts
    return [
      {
        name: `delete during ${operation.name}`,
        begin: operation.begin,
        acts: [...(first === undefined ? [] : [first]), { when, act: deletes }],
        isOver: isGone,
        // controllers that live by watches work on while the story waits: after a death its deletion comes at another step
        peers: PEERS,
      },
    ]
  }),
]

/** The coordinator of the first attempt proposes it. */
function isToHaveFourHotSlots(scene: JobScene): void {
  scene.onReport = (report: JobReport) => {
    const { autoscaler, attempt, phase } = report
    if (autoscaler?.policy == null || attempt !== 1 || phase !== 'running') return
    const proposals = [{ operators: ['hot', 'out'], from: 2, to: 4, because: 'It is busy.' }]
    report.autoscaler = { ...autoscaler, proposals }
  }
}

function attempts(count: number): (scene: JobScene) => boolean {
  return ({ world }) => world.store.attempt === count
}

function loses(pod: string): Act {
  return {
    act: ({ world }) => {
      world.kill(pod)
    },
  }
}
