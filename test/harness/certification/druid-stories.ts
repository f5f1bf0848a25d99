import { sampleDatasource } from '../druid-sample.ts'
import { DruidScene } from './druid-scene.ts'
import type { Story } from './story.ts'
import type { Strike } from './strike.ts'

type DruidStory = Story<DruidScene>

const created = (strike: Strike): Promise<DruidScene> => DruidScene.create(strike, sampleDatasource())
const running = async (strike: Strike): Promise<DruidScene> => (await created(strike)).untilRunning()

const edits =
  (changes: Parameters<DruidScene['edit']>[0]) =>
  (scene: DruidScene): void => {
    scene.edit(changes)
  }

const isReady = (reason: string) => (scene: DruidScene) => scene.isReadyBecause(reason)

/** What Druid runs in the end: how often it began anew, and a text in its specification. */
const runs =
  ({ restarts, text }: { restarts: number; text: string }) =>
  ({ druid }: DruidScene): string | undefined => {
    const supervisor = druid.supervisors.get('clicks')
    if (supervisor?.restarts !== restarts) return `${supervisor?.restarts ?? 'no'} restarts instead of ${restarts}`
    return JSON.stringify(supervisor.spec).includes(text) ? undefined : `${text} is not in its specification`
  }

const RAW_SPEC = {
  type: 'kafka',
  spec: {
    dataSchema: { dataSource: 'clicks', metricsSpec: [{ type: 'longSum', name: 'b', fieldName: 'b' }] },
    ioConfig: { topic: 'clicks', taskCount: 3, consumerProperties: { 'bootstrap.servers': 'k:9092' } },
  },
}

/** Each operation of a DruidDatasource. */
export const DRUID_STORIES: readonly DruidStory[] = [
  {
    name: 'create a supervisor',
    begin: created,
    acts: [],
    isOver: isReady('Running'),
    wrong: runs({ restarts: 0, text: 'longSum' }),
  },
  {
    name: 'update a supervisor',
    begin: running,
    acts: [{ act: edits({ ingestion: { taskCount: 2 } }) }],
    isOver: isReady('Running'),
    wrong: runs({ restarts: 1, text: '"taskCount":2' }),
  },
  {
    name: 'update that Druid refuses',
    begin: running,
    acts: [{ act: edits({ metrics: [{ type: 'nonsense', name: 'x' }], validation: { sample: false } }) }],
    isOver: isReady('Rejected'),
    wrong: runs({ restarts: 0, text: 'longSum' }),
  },
  {
    name: 'update that makes Druid lose the supervisor',
    begin: running,
    acts: [{ act: edits({ metrics: [{ type: 'deadly', name: 'x' }] }) }],
    isOver: isReady('Rejected'),
    wrong: runs({ restarts: 0, text: 'longSum' }),
  },
  {
    name: 'suspend a supervisor',
    begin: running,
    acts: [{ act: edits({ suspended: true }) }],
    isOver: isReady('Suspended'),
    wrong: runs({ restarts: 0, text: 'longSum' }),
  },
  {
    name: 'resume a supervisor',
    begin: async (strike: Strike): Promise<DruidScene> => {
      const scene = await running(strike)
      scene.edit({ suspended: true })
      for (let pass = 0; pass < 20 && !scene.isReadyBecause('Suspended'); pass += 1)
        await scene.liveOn((await scene.pass()) ?? 1000)
      return scene
    },
    acts: [{ act: edits({ suspended: false }) }],
    isOver: isReady('Running'),
    wrong: runs({ restarts: 0, text: 'longSum' }),
  },
  {
    name: 'write a supervisor as a rawSpec',
    begin: running,
    acts: [
      {
        act: (scene: DruidScene) => {
          scene.replaceSpec({ rawSpec: RAW_SPEC })
        },
      },
    ],
    isOver: isReady('Running'),
    wrong: runs({ restarts: 1, text: '"taskCount":3' }),
  },
  {
    name: 'set retention and compaction of a supervisor',
    begin: running,
    acts: [{ act: edits({ retention: [{ type: 'loadForever' }], compaction: { enabled: true } }) }],
    isOver: isReady('Running'),
    wrong: ({ druid }: DruidScene) =>
      druid.rules.get('clicks')?.length === 1 && druid.compactions.has('clicks') ? undefined : 'not both are set',
  },
  {
    name: 'set a lookup and remove another one',
    begin: async (strike: Strike): Promise<DruidScene> =>
      (
        await DruidScene.create(strike, sampleDatasource({ lookups: [{ name: 'old', map: { a: 'b' } }] }))
      ).untilRunning(),
    acts: [{ act: edits({ lookups: [{ name: 'countries', map: { DE: 'Germany' } }] }) }],
    isOver: isReady('Running'),
    wrong: ({ druid }: DruidScene) =>
      [...(druid.lookups?.keys() ?? [])].join() === '__default/countries' ? undefined : 'other lookups are there',
  },
  {
    name: 'terminate a supervisor with retention and compaction',
    begin: async (strike: Strike): Promise<DruidScene> =>
      (
        await DruidScene.create(
          strike,
          sampleDatasource({
            deletionPolicy: 'Terminate',
            retention: [{ type: 'loadForever' }],
            compaction: { enabled: true },
            lookups: [{ name: 'countries', map: { DE: 'Germany' } }],
          }),
        )
      ).untilRunning(),
    acts: [{ act: (scene: DruidScene) => scene.delete() }],
    isOver: (scene: DruidScene) => scene.resource() === undefined,
    wrong: ({ druid }: DruidScene) =>
      druid.supervisors.has('clicks') || druid.compactions.has('clicks') || druid.lookups?.size !== 0
        ? 'something is left'
        : undefined,
  },
  {
    name: 'delete a DruidDatasource',
    begin: running,
    acts: [{ act: (scene: DruidScene) => scene.delete() }],
    isOver: (scene: DruidScene) => scene.resource() === undefined,
    wrong: ({ druid }: DruidScene) =>
      druid.supervisors.get('clicks')?.suspended === true ? undefined : 'the supervisor is not suspended',
  },
].map((story) => ({ ...story, peers: ['API server', 'Druid'] as const }))
