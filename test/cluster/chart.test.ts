import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import type { EnvVar } from '../../operator/api/stream-job.ts'
import { readConfig } from '../../operator/config.ts'
import type { OperatorConfig } from '../../operator/config.ts'
import { buildKube } from '../harness/beds/kube-bed.ts'

const CHART = join(import.meta.dirname, '../../charts/millrace')
const CRDS = join(CHART, '../../crds')
const DIGEST = `sha256:${'0'.repeat(64)}`
const run = promisify(execFile)

interface ValueSchema {
  additionalProperties: boolean
  properties: Record<string, object>
}

interface Rendered {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  spec: PodSpec & {
    template: { metadata: Rendered['metadata']; spec: PodSpec }
    groups: { rules: { alert: string; expr: string }[] }[]
  }
  rules: { resources: string[]; verbs: string[] }[]
}

interface PodSpec {
  containers: {
    image: string
    args: string[]
    env: EnvVar[]
    resources: unknown
    volumeMounts: { mountPath: string }[]
    securityContext: unknown
  }[]
  volumes: unknown[]
}

/** Kinds of the chart that are in no namespace. */
const CLUSTER_SCOPED = [
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]
/** Everything that is off by default. */
const ALL_ON = ['serviceMonitor.enabled=true', 'podMonitor.enabled=true', 'prometheusRule.enabled=true', 'replicas=2']

/** The chart and the operator's configuration fit together; no cluster is needed, only helm. */
describe('the chart', () => {
  let helm = ''

  beforeAll(async () => {
    helm = join(await buildKube(), 'helm')
  })

  async function renderText(...values: string[]): Promise<string> {
    // JSON is given as a whole, to be merged with the defaults
    const sets = values.flatMap((one) => (one.startsWith('{') ? ['--set-json', one] : ['--set', one]))
    return (await run(helm, ['template', 'millrace', CHART, '--namespace', 'streams', ...sets])).stdout
  }

  async function render(...values: string[]): Promise<Rendered[]> {
    return parseAllDocuments(await renderText(...values))
      .map((document) => document.toJS() as Rendered | null)
      .filter((object) => object !== null)
  }

  const names = (objects: readonly Rendered[], kind: string): string[] =>
    objects.filter((one) => one.kind === kind).map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`)

  function only(objects: readonly Rendered[], kind: string): Rendered {
    const [found, ...others] = objects.filter((one) => one.kind === kind)
    if (found === undefined || others.length > 0) throw new Error(`${others.length + 1} or no ${kind} was rendered`)
    return found
  }

  function podSpec(objects: readonly Rendered[]): PodSpec {
    return only(objects, 'Deployment').spec.template.spec
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
    expect(names(objects, 'ClusterRole').sort()).toEqual([
      '/millrace',
      '/streams-millrace-admin',
      '/streams-millrace-edit',
      '/streams-millrace-view',
    ])
    expect(names(await render('rbac.aggregate=false'), 'ClusterRole')).toEqual(['/millrace'])
    expect(names(objects, 'PersistentVolumeClaim')).toEqual(['streams/millrace-checkpoints'])
    expect(configOf(objects)).toMatchObject({
      namespaces: undefined,
      druids: {},
      pods: {
        image: 'millrace:0.1.0',
        store: 'file:///checkpoints',
        storeVolume: { claim: 'millrace-checkpoints', path: '/checkpoints' },
        reach: { files: [], addresses: [] },
        network: {
          http: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'streams' } },
              podSelector: {
                matchLabels: {
                  'app.kubernetes.io/name': 'millrace-operator',
                  'app.kubernetes.io/instance': 'millrace',
                },
              },
            },
          ],
        },
        defaults: {
          tmpSize: '10Gi',
          resources: { limits: { memory: '2Gi', 'ephemeral-storage': '12Gi' } },
          coordinator: { resources: { limits: { memory: '1Gi', 'ephemeral-storage': '1Gi' } } },
        },
      },
    })
  })

  test('has the CRDs as they are in crds/, which stay when it is uninstalled', async () => {
    const rendered = (await render()).filter(({ kind }) => kind === 'CustomResourceDefinition')
    expect(rendered.map(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'])).toEqual(
      rendered.map(() => 'keep'),
    )
    const written = globSync(join(CRDS, '*.yaml')).map((file) => parse(readFileSync(file, 'utf8')) as Rendered)
    const byName = (a: Rendered, b: Rendered): number => (a.metadata.name < b.metadata.name ? -1 : 1)
    expect(rendered.sort(byName).map(({ metadata, ...rest }) => ({ ...rest, name: metadata.name }))).toEqual(
      written.sort(byName).map(({ metadata, ...rest }) => ({ ...rest, name: metadata.name })),
    )
    expect(names(await render('crds.install=false'), 'CustomResourceDefinition')).toEqual([])
  })

  test('with namespaced has no object outside of namespaces, whatever else is on, and works in its own', async () => {
    const objects = await render('namespaced=true', ...ALL_ON)
    expect(objects.filter(({ kind }) => CLUSTER_SCOPED.includes(kind))).toEqual([])
    expect(objects.filter(({ metadata }) => metadata.namespace !== 'streams')).toEqual([])
    expect(configOf(objects).namespaces).toEqual(['streams'])
    expect(names(objects, 'Role')).toContain('streams/millrace')
    expect(names(await render('namespaced=true', 'watchNamespaces={a}'), 'Role')).toEqual([
      'a/millrace',
      'streams/millrace-lease',
    ])
  })

  test('with a Secret for signing tells it to the operator, and how to take files without signature', async () => {
    expect(configOf(await render()).pods.signing).toBeUndefined()
    expect(configOf(await render('jobs.signing.existingSecret=keys')).pods.signing).toEqual({
      secret: 'keys',
      unsigned: 'refuse',
    })
    const accepting = await render('jobs.signing.existingSecret=keys', 'jobs.signing.unsigned=accept')
    expect(configOf(accepting).pods.signing).toEqual({ secret: 'keys', unsigned: 'accept' })
  })

  test('without rbac.create has no Role and no binding', async () => {
    for (const namespaced of [true, false])
      expect(
        (await render('rbac.create=false', `namespaced=${namespaced}`)).filter(({ kind }) => /Role/.test(kind)),
      ).toEqual([])
  })

  test.each([
    ['the version of the chart', [], 'millrace:0.1.0', 'millrace:0.1.0'],
    ['a digest', [`image.digest=${DIGEST}`], `millrace@${DIGEST}`, `millrace@${DIGEST}`],
    [
      'a digest, and jobs a tag of their own',
      [`image.digest=${DIGEST}`, 'jobs.defaults.image.tag=v1'],
      `millrace@${DIGEST}`,
      'millrace:v1',
    ],
    [
      'a tag, and jobs a repository of their own',
      ['image.tag=v2', 'jobs.defaults.image.repository=own/jobs'],
      'millrace:v2',
      'own/jobs:v2',
    ],
  ])('with %s runs the operator and jobs from these images', async (_what, values, operator, jobs) => {
    const objects = await render(...values)
    expect(podSpec(objects).containers[0]?.image).toBe(operator)
    expect(configOf(objects).pods.image).toBe(jobs)
  })

  test('gives jobs the pull secrets of the release and their own, each once, and the template of the release', async () => {
    const { defaults } = configOf(
      await render(
        'imagePullSecrets[0].name=a',
        'jobs.defaults.imagePullSecrets[0].name=b',
        'jobs.defaults.imagePullSecrets[1].name=a',
        'jobs.defaults.podTemplate.metadata.labels.team=data',
        'jobs.defaults.resources.limits.memory=null',
      ),
    ).pods
    expect(defaults).toMatchObject({
      imagePullSecrets: [{ name: 'a' }, { name: 'b' }],
      podTemplate: { metadata: { labels: { team: 'data' } } },
      resources: { limits: { 'ephemeral-storage': '12Gi' } },
    })
    expect(defaults?.resources?.['limits']).not.toHaveProperty('memory')
  })

  test('with a template that job pods may not have the operator does not start', async () => {
    const objects = await render('jobs.defaults.podTemplate.spec.hostNetwork=true')
    expect(() => configOf(objects)).toThrow(/podTemplate\.spec\.hostNetwork may not be set/)
  })

  test('lets Prometheus to jobs and operator by one value, limits where jobs connect, and isolates nothing when told so', async () => {
    const prometheus = { namespaceSelector: { matchLabels: { name: 'monitoring' } } }
    const egress = [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }]
    const objects = await render(JSON.stringify({ networkPolicy: { metricsFrom: [prometheus], jobEgress: egress } }))
    const { network } = configOf(objects).pods
    expect(network).toMatchObject({ http: [{}, prometheus], egress })
    expect(only(objects, 'NetworkPolicy').spec).toMatchObject({ ingress: [{ from: [{}, prometheus] }] })
    const off = await render('networkPolicy.jobs=false', 'networkPolicy.operator=false')
    expect(configOf(off).pods.network).toBe('off')
    expect(names(off, 'NetworkPolicy')).toEqual([])
  })

  test('lets everybody reach sources that listen, or the peers that are named, or nobody', async () => {
    const ingress = { podSelector: { matchLabels: { app: 'ingress' } } }
    const sendersOf = async (senders: unknown): Promise<unknown> =>
      configOf(await render(JSON.stringify({ networkPolicy: { senders } }))).pods.network
    expect(await sendersOf(null)).not.toHaveProperty('senders')
    expect(await sendersOf([ingress])).toMatchObject({ senders: [ingress] })
    expect(await sendersOf([])).toMatchObject({ senders: [] })
  })

  test('puts common labels and annotations on every object, and those of the pod on the pod', async () => {
    const objects = await render(
      'commonLabels.team=data',
      'commonAnnotations.owner=me',
      'podLabels.pod=l',
      'podAnnotations.pod=a',
      'serviceAccount.annotations.role=r',
      ...ALL_ON,
    )
    for (const { kind, metadata } of objects)
      expect({ kind, ...metadata }).toMatchObject({ labels: { team: 'data' }, annotations: { owner: 'me' } })
    expect(only(objects, 'Deployment').spec.template.metadata).toMatchObject({
      labels: { team: 'data', pod: 'l' },
      annotations: { owner: 'me', pod: 'a' },
    })
    expect(only(objects, 'ServiceAccount').metadata.annotations).toEqual({ owner: 'me', role: 'r' })
  })

  test('takes arguments, variables, volumes and security contexts for the pod of the operator', async () => {
    const objects = await render(
      JSON.stringify({
        extraArgs: ['--health-port', '9090'],
        extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/ca/ca.crt' }],
        extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }],
        extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }],
        podSecurityContext: { runAsUser: null },
        securityContext: { seLinuxOptions: { level: 's0' } },
      }),
    )
    const { containers, volumes, ...pod } = podSpec(objects)
    const [container] = containers
    expect(container?.args).toEqual(['operator', '--health-port', '9090'])
    expect(container?.env).toContainEqual({ name: 'NODE_EXTRA_CA_CERTS', value: '/ca/ca.crt' })
    expect(container?.volumeMounts).toContainEqual({ name: 'ca', mountPath: '/ca' })
    expect(volumes).toContainEqual({ name: 'ca', configMap: { name: 'ca' } })
    expect(container?.securityContext).toMatchObject({
      seLinuxOptions: { level: 's0' },
      readOnlyRootFilesystem: true,
    })
    expect(pod).toMatchObject({ securityContext: { runAsNonRoot: true } })
    expect(JSON.stringify(pod)).not.toContain('runAsUser')
  })

  test.each([
    ['nothing', [], 'millrace'],
    ['nameOverride', ['nameOverride=flow'], 'millrace-flow'],
    ['fullnameOverride', ['fullnameOverride=flow'], 'flow'],
  ])('with %s is named accordingly', async (_what, values, name) => {
    const objects = await render(...values)
    expect(names(objects, 'Deployment')).toEqual([`streams/${name}`])
    expect(configOf(objects).leaderElection?.name).toBe(name)
  })

  test('has a disruption budget when there is a standby, which never holds up a node with one replica', async () => {
    expect(names(await render(), 'PodDisruptionBudget')).toEqual([])
    expect(only(await render('replicas=2'), 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 })
  })

  test('alerts over metrics that there are', async () => {
    const documented = readFileSync(join(CHART, '../../docs/metrics.md'), 'utf8')
    const rules = only(await render(...ALL_ON), 'PrometheusRule').spec.groups.flatMap((group) => group.rules)
    const metrics = rules.flatMap(({ expr }) => expr.match(/\b(millrace|nodejs)_[a-z_]+/g) ?? [])
    expect(rules.length).toBeGreaterThan(5)
    for (const metric of metrics) expect(documented).toContain(`\`${metric}\``)
  })

  test('has a value for every field of its schema, and refuses every other', async () => {
    const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as ValueSchema
    const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>
    expect(
      Object.keys(schema.properties)
        .filter((name) => name !== 'global')
        .sort(),
    ).toEqual(Object.keys(values).sort())
    expect(schema.additionalProperties).toBe(false)
  })

  test('with watchNamespaces has Roles and claims there and no ClusterRole', async () => {
    const objects = await render('watchNamespaces={a,b}', 'rbac.aggregate=false')
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
    'image.digest=sha256:1',
    'jobs.defaults.resource.limits.memory=1Gi',
    'jobs.defaults.podTemplate.labels.a=b',
    'networkPolicy.metricsFrom[0].podselector.a=b',
    'podLabel.a=b',
  ])('with the mistyped value %s is refused', async (value) => {
    await expect(render(value)).rejects.toThrow(/don't meet the specifications of the schema/)
  })
})
