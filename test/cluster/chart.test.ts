import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { EnvVar } from '../../operator/api/stream-job.ts'
import { readConfig } from '../../operator/config.ts'
import type { OperatorConfig } from '../../operator/config.ts'
import { buildKube } from '../harness/beds/kube-bed.ts'

const CHART = join(import.meta.dirname, '../../charts/millrace')
const run = promisify(execFile)

interface Rendered {
  kind: string
  metadata: { name: string; namespace?: string }
  spec: {
    template: { spec: { containers: { env: EnvVar[]; volumeMounts: { mountPath: string }[] }[]; volumes: unknown[] } }
  }
}

/** The chart and the operator's configuration fit together; no cluster is needed, only helm. */
describe('the chart', () => {
  let helm = ''

  beforeAll(async () => {
    helm = join(await buildKube(), 'helm')
  })

  async function render(...values: string[]): Promise<Rendered[]> {
    const { stdout } = await run(helm, [
      'template',
      'millrace',
      CHART,
      '--namespace',
      'streams',
      ...values.flatMap((one) => ['--set', one]),
    ])
    return parseAllDocuments(stdout)
      .map((document) => document.toJS() as Rendered | null)
      .filter((object) => object !== null)
  }

  const names = (objects: readonly Rendered[], kind: string): string[] =>
    objects.filter((one) => one.kind === kind).map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`)

  function podSpec(objects: readonly Rendered[]): Rendered['spec']['template']['spec'] {
    const deployment = objects.find((one) => one.kind === 'Deployment')
    if (deployment === undefined) throw new Error('no Deployment was rendered')
    return deployment.spec.template.spec
  }

  /** What the operator reads from the environment that the Deployment gives it. */
  function configOf(objects: readonly Rendered[]): OperatorConfig {
    const env = podSpec(objects).containers[0]?.env ?? []
    return readConfig([], {
      MILLRACE_TOKEN_KEY: 'k'.repeat(32),
      ...Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
    })
  }

  test('when it is linted has no complaint', async () => {
    await expect(run(helm, ['lint', '--strict', CHART])).resolves.toMatchObject({
      stdout: expect.stringContaining('0 chart(s) failed') as string,
    })
  })

  test('with default values works in all namespaces and makes the claim of the checkpoint store in its own', async () => {
    const objects = await render()
    expect(names(objects, 'ClusterRole')).toEqual(['/millrace'])
    expect(names(objects, 'PersistentVolumeClaim')).toEqual(['streams/millrace-checkpoints'])
    expect(configOf(objects)).toMatchObject({
      namespaces: undefined,
      druids: {},
      pods: {
        image: 'millrace:0.1.0',
        store: 'file:///checkpoints',
        storeVolume: { claim: 'millrace-checkpoints', path: '/checkpoints' },
        reach: { files: [], addresses: [] },
      },
    })
  })

  test('with watchNamespaces has Roles and claims there and no ClusterRole', async () => {
    const objects = await render('watchNamespaces={a,b}')
    expect(names(objects, 'ClusterRole')).toEqual([])
    expect(names(objects, 'Role')).toEqual(['a/millrace', 'b/millrace', 'streams/millrace-lease'])
    expect(names(objects, 'PersistentVolumeClaim')).toEqual(['a/millrace-checkpoints', 'b/millrace-checkpoints'])
    expect(configOf(objects).namespaces).toEqual(['a', 'b'])
  })

  test('with a Druid and its password gives the operator the URL, and the password as a file', async () => {
    const objects = await render(
      'druids.main.routerUrl=http://router:8888',
      'druids.main.username=u',
      'druids.main.passwordSecret.name=s',
      'druids.main.passwordSecret.key=k',
    )
    const { druids } = configOf(objects)
    expect(druids).toEqual({
      main: { routerUrl: 'http://router:8888', username: 'u', passwordFile: '/secrets/druid/main/password' },
    })
    expect(podSpec(objects).containers[0]?.volumeMounts).toContainEqual({
      name: 'druid-main',
      mountPath: '/secrets/druid/main',
      readOnly: true,
    })
    expect(podSpec(objects).volumes).toContainEqual({
      name: 'druid-main',
      secret: { secretName: 's', items: [{ key: 'k', path: 'password' }] },
    })
  })

  test('with a claim of the user makes none, and without a volume tells the operator of none', async () => {
    const own = await render('jobs.storeVolume.create=false', 'jobs.storeVolume.claimName=shared')
    expect(names(own, 'PersistentVolumeClaim')).toEqual([])
    expect(configOf(own).pods.storeVolume).toEqual({ claim: 'shared', path: '/checkpoints' })
    const none = await render('jobs.storeVolume.enabled=false')
    expect(names(none, 'PersistentVolumeClaim')).toEqual([])
    expect(configOf(none).pods.storeVolume).toBeUndefined()
  })

  test('with folders and addresses that jobs may reach gives them to the operator', async () => {
    const objects = await render(
      'jobs.fileRoots={/opt/a,/opt/b}',
      'jobs.httpAddresses={169.254.20.10/32,fd00:ec2::254}',
    )
    expect(configOf(objects).pods.reach).toEqual({
      files: ['/opt/a', '/opt/b'],
      addresses: ['169.254.20.10/32', 'fd00:ec2::254'],
    })
  })

  test.each([
    'jobs.fileRoots={data}',
    'jobs.httpAddresses={localhost}',
    'druid.default.routerUrl=http://router',
    'druids.default.url=http://router',
    'jobs.storeVolume.accessModes={Some}',
  ])('with the mistyped value %s is refused', async (value) => {
    await expect(render(value)).rejects.toThrow(/don't meet the specifications of the schema/)
  })
})
