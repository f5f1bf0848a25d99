import { execFile, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import type { JsonObject } from '../../embedded/objects.ts'
import type { TestCluster } from './embedded-cluster.ts'
import { samplePod, startTestCluster, untilObject } from './embedded-cluster.ts'
import { sampleMill } from './sample-crd.ts'
import { ROOT } from '../harness/source-files.ts'
import { yamlOfDocs } from '../harness/yaml-of-docs.ts'

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0
if (!hasKubectl) console.log('left out: tests with the real kubectl, because there is no kubectl on the PATH')

const SAMPLE = 'apiVersion: v1\nkind: Sample\nmetadata: { name: sample }\n'

interface Outcome {
  code: number
  out: string
  err: string
}

describe('kubectl against the embedded server', { timeout: 60_000 }, () => {
  let cluster: TestCluster
  let home: string

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'millrace-kubectl-'))
    cluster = await startTestCluster({ node: {} })
  })

  afterAll(async () => {
    await cluster.close()
    await rm(home, { recursive: true, force: true })
  })

  const environment = (): NodeJS.ProcessEnv => ({
    PATH: process.env['PATH'],
    HOME: home,
    KUBECONFIG: cluster.server.kubeconfigPath,
  })

  function kubectl(...args: string[]): Promise<Outcome> {
    return new Promise((resolve) => {
      execFile('kubectl', args, { env: environment() }, (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err })
      })
    })
  }

  async function apply(object: JsonObject, ...flags: string[]): Promise<Outcome> {
    const path = join(home, `${Math.random()}.yaml`)
    await writeFile(path, stringify(object))
    return kubectl('apply', '-f', path, ...flags)
  }

  // The embedded server is given JSON, so that only kubectl's own reading can differ.
  test.skipIf(!hasKubectl)('every example and all YAML of the docs is to kubectl what it is to Millrace', async () => {
    const examples = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => readFileSync(join(ROOT, 'examples', file), 'utf8'))
    const docs = yamlOfDocs().map(({ text }) =>
      text.startsWith('apiVersion') ? text : `${SAMPLE}spec:\n${text.replaceAll(/^(?=.)/gm, '  ')}`,
    )
    const all = [...examples, ...docs].join('\n---\n')
    const path = join(home, 'all.yaml')
    await writeFile(path, all)
    const { out, err } = await kubectl('annotate', '--local', '-f', path, 'a=b', '-o', 'jsonpath={.spec}{"\\n"}')
    expect(err).toBe('')
    const read = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(read).toEqual(parseAllDocuments(all).map((document) => (document.toJS() as { spec: unknown }).spec))
  })

  test.skipIf(!hasKubectl)(
    'apply creates, leaves unchanged and configures, and the generation follows the spec',
    async () => {
      expect((await apply(sampleMill('a'))).out).toBe('mill.sample.dev/a created\n')
      expect((await apply(sampleMill('a'))).out).toBe('mill.sample.dev/a unchanged\n')
      expect((await apply(sampleMill('a', { mode: 'fast' }))).out).toBe('mill.sample.dev/a configured\n')
      expect(
        await kubectl('get', 'ml', 'a', '-o', 'jsonpath={.metadata.generation} {.spec.mode} {.spec.maxReplicas}'),
      ).toMatchObject({ out: '2 fast 8' })
    },
  )

  test.skipIf(!hasKubectl)(
    'apply refuses an unknown field, a value against the schema and one against a CEL rule',
    async () => {
      expect((await apply(sampleMill('bad', { replica: 1 }))).err).toContain(
        'strict decoding error: unknown field "spec.replica"',
      )
      expect((await apply(sampleMill('bad', { replicas: 0 }))).err).toContain(
        'The Mill "bad" is invalid: spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1',
      )
      expect((await apply(sampleMill('bad', { replicas: 9 }))).err).toContain('replicas 9 is above maxReplicas 8')
      expect((await apply(sampleMill('bad', { mode: 'idle' }))).err).toContain(
        'spec.mode: Unsupported value: "idle": supported values: "slow", "fast"',
      )
    },
  )

  test.skipIf(!hasKubectl)('a List is applied, and what is wrong in it is refused by the server', async () => {
    const item = (data: JsonObject): JsonObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'of-a-list' },
      data,
    })
    const list = (data: JsonObject): JsonObject => ({ apiVersion: 'v1', kind: 'List', items: [item(data)] })
    expect(await apply(list({ a: 'b' }))).toMatchObject({ code: 0, out: 'configmap/of-a-list created\n' })
    const wrong = await apply(list({ a: [1] }))
    expect(wrong.code).toBe(1)
    expect(wrong.err).toContain('data.a in body must be of type string')
  })

  test.skipIf(!hasKubectl)('get prints the columns of the CRD, a category and wide columns', async () => {
    await apply(sampleMill('columns'))
    expect((await kubectl('get', 'ml', 'columns')).out).toMatch(/^NAME +REPLICAS +READY +AGE\ncolumns +1 +\d+s\n$/)
    expect((await kubectl('get', 'streams', 'columns', '-o', 'wide')).out).toContain('MODE')
    expect((await kubectl('get', 'mills', '-l', 'no=where')).err).toContain('No resources found')
  })

  test.skipIf(!hasKubectl)('scale changes the replicas and is held to the CEL rules', async () => {
    await apply(sampleMill('scaled'))
    expect((await kubectl('scale', 'ml/scaled', '--replicas=3')).out).toBe('mill.sample.dev/scaled scaled\n')
    expect((await kubectl('get', 'ml', 'scaled', '-o', 'jsonpath={.spec.replicas}')).out).toBe('3')
    expect((await kubectl('scale', 'ml/scaled', '--replicas=30')).err).toContain('replicas 30 is above maxReplicas 8')
    expect((await kubectl('scale', 'ml/scaled', '--current-replicas=2', '--replicas=4')).code).toBe(1)
  })

  test.skipIf(!hasKubectl)('server-side apply takes over fields only when forced', async () => {
    expect((await apply(sampleMill('ssa', { replicas: 2 }), '--server-side', '--field-manager=one')).out).toContain(
      'serverside-applied',
    )
    const refused = await apply(sampleMill('ssa', { replicas: 3 }), '--server-side', '--field-manager=two')
    expect(refused.err).toContain('conflict with "one"')
    expect(
      (await apply(sampleMill('ssa', { replicas: 3 }), '--server-side', '--field-manager=two', '--force-conflicts'))
        .code,
    ).toBe(0)
    expect((await kubectl('get', 'ml', 'ssa', '-o', 'jsonpath={.spec.replicas}')).out).toBe('3')
  })

  test.skipIf(!hasKubectl)(
    'explain, describe, label, annotate, patch and edit-style replace work on a custom kind',
    async () => {
      await apply(sampleMill('tools'))
      expect((await kubectl('explain', 'mill.spec.wheel')).out).toContain('What turns.')
      expect((await kubectl('label', 'ml', 'tools', 'team=x')).out).toContain('labeled')
      expect((await kubectl('annotate', 'ml', 'tools', 'note=y')).out).toContain('annotated')
      expect(
        (await kubectl('patch', 'ml', 'tools', '--type=merge', '-p', '{"spec":{"stones":[{"id":"s"}]}}')).out,
      ).toContain('patched')
      expect(
        (
          await kubectl(
            'patch',
            'ml',
            'tools',
            '--type=json',
            '-p',
            '[{"op":"replace","path":"/spec/stones/0/weight","value":7}]',
          )
        ).out,
      ).toContain('patched')
      const described = await kubectl('describe', 'ml', 'tools')
      expect(described.out).toMatch(/Labels: +team=x/)
      expect(described.out).toMatch(/Weight: +7/)
      expect(
        (
          await kubectl(
            'patch',
            'ml',
            'tools',
            '--subresource=status',
            '--type=merge',
            '-p',
            '{"status":{"replicas":1,"conditions":[{"type":"Ready","status":"True"}]}}',
          )
        ).code,
      ).toBe(0)
      expect((await kubectl('wait', 'ml/tools', '--for=condition=Ready', '--timeout=10s')).out).toContain(
        'condition met',
      )
    },
  )

  test.skipIf(!hasKubectl)('delete waits until finalizers are gone, and dependents go with their owner', async () => {
    const local = cluster.server.local('test')
    const owner = local.create('mills.sample.dev', 'default', {
      ...sampleMill('owner'),
      metadata: { name: 'owner', finalizers: ['sample.dev/hold'] },
    })
    local.create('configmaps', 'default', {
      metadata: {
        name: 'dependent',
        ownerReferences: [{ apiVersion: 'sample.dev/v1', kind: 'Mill', name: 'owner', uid: owner.metadata.uid }],
      },
    })
    const deleting = kubectl('delete', 'ml', 'owner')
    await untilObject(
      cluster.server,
      'mills.sample.dev',
      'owner',
      (object) => object?.metadata.deletionTimestamp !== undefined,
    )
    expect(local.get('configmaps', 'default', 'dependent')).toBeDefined()
    local.update('mills.sample.dev', 'default', 'owner', 'main', (current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers: [] },
    }))
    expect((await deleting).out).toContain('deleted')
    await untilObject(cluster.server, 'configmaps', 'dependent', (object) => object === undefined)
  })

  test.skipIf(!hasKubectl)('pods run, show their logs, their events and their state, and go when deleted', async () => {
    expect((await apply(samplePod('web', ['serve', '18090']))).out).toContain('created')
    expect((await kubectl('wait', 'pod/web', '--for=condition=Ready', '--timeout=20s')).out).toContain('condition met')
    expect((await kubectl('get', 'pods', 'web')).out).toMatch(/web +1\/1 +Running +0 +\d+s/)
    expect((await kubectl('get', 'pods', 'web', '-o', 'wide')).out).toMatch(/127\.\d+\.\d+\.\d+ +millrace-local/)
    const followed = follow(['logs', '-f', 'web'])
    await followed.until('started serve at 127.')
    const described = await kubectl('describe', 'pod', 'web')
    expect(described.out).toContain('Started container main')
    expect((await kubectl('get', 'events')).out).toContain('Scheduled')
    expect((await kubectl('delete', 'pod', 'web')).out).toContain('deleted')
    await followed.ended
    expect(followed.text()).toContain('asked to stop')
    expect((await kubectl('logs', 'web')).err).toContain('pods "web" not found')
  })

  test.skipIf(!hasKubectl)('get -w shows each change as a row', async () => {
    await apply(sampleMill('watched'))
    const watching = follow(['get', 'ml', 'watched', '-w'])
    await watching.until('watched')
    await kubectl('scale', 'ml/watched', '--replicas=5')
    await watching.until('watched   5')
    watching.stop()
    await watching.ended
  })

  test.skipIf(!hasKubectl)(
    'create namespace, configmap and secret (which kubectl sends as protobuf) and can-i work',
    async () => {
      expect((await kubectl('create', 'namespace', 'team')).out).toContain('created')
      expect((await kubectl('create', 'configmap', 'c', '-n', 'team', '--from-literal=a=b')).out).toContain('created')
      expect((await kubectl('create', 'secret', 'generic', 's', '-n', 'team', '--from-literal=a=b')).out).toContain(
        'created',
      )
      expect((await kubectl('get', 'secret', 's', '-n', 'team', '-o', 'jsonpath={.data.a}')).out).toBe('Yg==')
      expect((await kubectl('get', 'configmap', 'c', '-n', 'team', '-o', 'jsonpath={.data.a}')).out).toBe('b')
      expect((await kubectl('auth', 'can-i', 'create', 'pods')).out).toContain('yes')
      expect((await kubectl('delete', 'namespace', 'team')).out).toContain('deleted')
    },
  )

  test.skipIf(!hasKubectl)('the kubeconfig can be read by its owner only', async () => {
    expect((await stat(cluster.server.kubeconfigPath)).mode & 0o777).toBe(0o600)
  })

  /** A kubectl that keeps running; `until` resolves when its output holds the text. */
  function follow(args: string[]): {
    until(text: string): Promise<void>
    text(): string
    stop(): void
    ended: Promise<void>
  } {
    const child = spawn('kubectl', args, { env: environment() })
    let output = ''
    let onOutput = (): void => undefined
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString()
      onOutput()
    })
    return {
      text: () => output,
      stop: () => child.kill(),
      ended: new Promise((resolve) => child.once('close', () => resolve())),
      until: (text) =>
        new Promise((resolve) => {
          onOutput = () => {
            if (output.includes(text)) resolve()
          }
          onOutput()
        }),
    }
  }
})
