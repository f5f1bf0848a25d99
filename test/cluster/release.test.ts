import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PlanStatus, StreamJob, StreamJobSpec } from '../../operator/api/stream-job.ts'
import { buildImage } from '../harness/beds/image.ts'
import { startKubeNode } from '../harness/beds/kube-bed.ts'
import type { KubeNode } from '../harness/beds/kube-bed.ts'
import { localVolume } from '../harness/local-volume.ts'
import { startMillrace } from '../harness/processes.ts'
import { until } from '../harness/until.ts'

const ROOT = join(import.meta.dirname, '../..')
const CHART = join(ROOT, 'charts/millrace')
const LONG_MS = 120_000
const run = promisify(execFile)

/** Where the release is, where jobs are, and where somebody else is. */
const SYSTEM = 'millrace-system'
const TEAM = 'team'
const OTHERS = 'others'
const NODE = '/usr/local/bin/node'
const VISITOR_PORT = 7000

/** A job that needs nothing outside of its pods. */
const consoleSpec: StreamJobSpec = {
  graph: [
    { id: 'bids', source: { nexmark: { events: 1_000_000, rate: '1/s' } } },
    { id: 'out', from: 'bids', sink: 'console' },
  ],
}

/** What the chart gives to jobs and forbids to their authors, on a real API server and a network that enforces policies. */
describe('a release on a real Kubernetes node', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-release-'))
  let node: KubeNode
  let values: string[] = []

  const command = async (program: string, args: readonly string[], input?: unknown): Promise<string> => {
    const child = run(program, args, { env: { ...process.env, KUBECONFIG: node.kubeconfig }, maxBuffer: 1e8 })
    child.child.stdin?.end(input === undefined ? '' : JSON.stringify(input))
    return (await child).stdout
  }
  const kubectl = (...args: string[]): Promise<string> => command(node.bin.kubectl, args)
  const apply = (object: unknown, ...args: string[]): Promise<string> =>
    command(node.bin.kubectl, ['apply', '-f', '-', ...args], object)
  const helm = (...args: string[]): Promise<string> => command(node.bin.helm, ['--namespace', SYSTEM, ...args])
  const upgrade = (...sets: string[]): Promise<string> =>
    helm('upgrade', 'millrace', CHART, '--reuse-values', '--wait', '--timeout', '120s', ...sets)

  const job = (name: string, changes: Partial<StreamJobSpec> = {}): unknown => ({
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'StreamJob',
    metadata: { namespace: TEAM, name },
    spec: { ...consoleSpec, ...changes },
  })

  beforeAll(async () => {
    const image = await buildImage()
    node = await startKubeNode()
    await node.importImage(image.tar)
    const volume = join(dir, 'volume')
    mkdirSync(volume)
    await apply(localVolume('checkpoints', volume))
    for (const namespace of [SYSTEM, TEAM, OTHERS]) {
      await kubectl('create', 'namespace', namespace)
      await kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted')
    }
    const [repository = '', tag = ''] = image.name.split(':')
    values = [`image.repository=${repository}`, `image.tag=${tag}`, `watchNamespaces={${TEAM}}`]
    await helm('install', 'millrace', CHART, ...values.flatMap((one) => ['--set', one]), '--wait', '--timeout', '120s')
  })

  afterAll(async () => {
    await node?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  test('is found ready by helm test', async () => {
    expect(await helm('test', 'millrace', '--timeout', '60s')).toMatch(/Phase:\s+Succeeded/)
  })

  describe('to authors, of whom one may write StreamJobs with all their subresources and another may create pods, too,', () => {
    const AUTHOR = '--as=author'
    const OWNER = '--as=owner'
    /** Two values of each field that decides what runs, as whom, and with which Secrets. */
    const deciding: readonly [string, Partial<StreamJobSpec>, Partial<StreamJobSpec>][] = [
      ['image', { image: 'one:1' }, { image: 'two:2' }],
      ['env', { env: [{ name: 'A', value: 'b' }] }, { env: [{ name: 'A', value: 'c' }] }],
      ['imagePullSecrets', { imagePullSecrets: [{ name: 'one' }] }, { imagePullSecrets: [{ name: 'two' }] }],
      ['podTemplate', { podTemplate: { spec: { dnsPolicy: 'None' } } }, { podTemplate: {} }],
      [
        'podTemplate',
        { podTemplate: { spec: { serviceAccountName: 'one' } } },
        { podTemplate: { spec: { serviceAccountName: 'two' } } },
      ],
      [
        'modules',
        { modules: { one: { image: '/app/one.mjs' } } },
        { modules: { one: { configMap: 'one', key: 'one.mjs' } } },
      ],
      ['upgrade.rollbackTo', { upgrade: { rollbackTo: 1 } }, { upgrade: { rollbackTo: 2 } }],
    ]
    const suspended = (name: string, changes: Partial<StreamJobSpec> = {}): unknown =>
      job(name, { ...changes, desiredState: 'Suspended' })
    const refusal = (field: string): string => `setting spec.${field} needs the right to create pods`

    beforeAll(async () => {
      const jobs = '--resource=streamjobs.millrace.dev,streamjobs.millrace.dev/status,streamjobs.millrace.dev/scale'
      await kubectl('create', 'role', 'author', '-n', TEAM, '--verb=get,create,update,patch', jobs)
      await kubectl('create', 'role', 'pods', '-n', TEAM, '--verb=create', '--resource=pods')
      await kubectl('create', 'rolebinding', 'author', '-n', TEAM, '--role=author', '--user=author', '--user=owner')
      await kubectl('create', 'rolebinding', 'pods', '-n', TEAM, '--role=pods', '--user=owner')
    })

    test.each(deciding)('%s is refused and allowed, at creation and in a change', async (field, one, two) => {
      const name = `of-${field.toLowerCase()}`
      await expect(apply(suspended(name, one), AUTHOR)).rejects.toThrow(refusal(field))
      await apply(suspended(name), AUTHOR)
      await expect(apply(suspended(name, one), AUTHOR)).rejects.toThrow(refusal(field))
      await apply(suspended(name, one), OWNER)
      await expect(apply(suspended(name, two), AUTHOR)).rejects.toThrow(refusal(field))
      // what is there already stays, whoever edits the rest
      await apply(suspended(name, { ...one, replicas: 3 }), AUTHOR)
      await kubectl('scale', `sj/${name}`, '-n', TEAM, '--replicas=2', AUTHOR)
      const patch = (subresource: string, user: string): Promise<string> =>
        kubectl(
          'patch',
          'sj',
          name,
          '-n',
          TEAM,
          '--type=merge',
          `--subresource=${subresource}`,
          user,
          `--patch=${JSON.stringify({ spec: two })}`,
        )
      await patch('status', AUTHOR)
      // of a Scale nothing but replicas is known
      await patch('scale', AUTHOR).catch((error: unknown) => {
        expect(String(error)).toMatch(/unknown field|strict decoding/)
      })
      const read = JSON.parse(await kubectl('get', 'sj', name, '-n', TEAM, '-o', 'json')) as { spec: StreamJobSpec }
      expect(read.spec).toMatchObject({ ...one, replicas: 2 })
      await apply(suspended(name, two), OWNER)
      await kubectl('delete', 'sj', name, '-n', TEAM, '--timeout=90s')
    })

    test('what vouches in the status for specs that pods are made from is refused to the author', async () => {
      await apply(suspended('vouched'), AUTHOR)
      const lastGood = (): Promise<string> =>
        kubectl('get', 'sj', 'vouched', '-n', TEAM, '-o', 'jsonpath={.status.lastGood.hash}')
      await until('the spec is kept', async () => ((await lastGood()) === '' ? undefined : true), LONG_MS, 250)
      const patch = (user: string, status: object): Promise<string> =>
        kubectl(
          'patch',
          'sj',
          'vouched',
          '-n',
          TEAM,
          '--type=merge',
          '--subresource=status',
          user,
          `--patch=${JSON.stringify({ status })}`,
        )
      const hash = 'f'.repeat(64)
      const vouching = {
        lastGood: { hash },
        revisions: [{ hash, revision: 1 }],
        rollbackTo: { hash, revision: 1 },
        stable: hash,
        rolledBack: { hash },
      }
      for (const [field, value] of Object.entries(vouching)) {
        const refusal = `changing status.${field} needs the right to create pods`
        await expect(patch(AUTHOR, { [field]: value })).rejects.toThrow(refusal)
        await patch(OWNER, { [field]: value })
      }
      await kubectl('delete', 'sj', 'vouched', '-n', TEAM, '--timeout=90s')
    })
  })

  describe('gives jobs', () => {
    const runs = (name: string): Promise<true> =>
      until(
        `${name} runs`,
        async () =>
          (await kubectl('get', 'sj', name, '-n', TEAM, '-o', 'jsonpath={.status.phase}')) === 'Running'
            ? true
            : undefined,
        LONG_MS,
        250,
      )
    const podOf = async (name: string, role: string): Promise<{ name: string; ip: string }> => {
      const selector = `millrace.dev/job=${name},millrace.dev/role=${role}`
      const form = 'jsonpath={.items[0].metadata.name} {.items[0].status.podIP}'
      const [pod = '', ip = ''] = (await kubectl('get', 'pods', '-n', TEAM, '-l', selector, '-o', form)).split(' ')
      return { name: pod, ip }
    }
    /** A process of the image in a pod of somebody else, from which connections can be tried, and to which. */
    const visitor = (namespace: string, labels: Record<string, string>): unknown => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'visitor', namespace, labels },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'visitor',
            image: values[0]?.split('=')[1] + ':' + values[1]?.split('=')[1],
            command: [NODE, '--eval', `require('node:net').createServer().listen(${VISITOR_PORT})`],
            securityContext: {
              allowPrivilegeEscalation: false,
              runAsUser: 65532,
              capabilities: { drop: ['ALL'] },
            },
          },
        ],
      },
    })
    /** Whether a connection from a pod comes about; what is dropped on the way is not answered at all. */
    const connects = async (from: { namespace: string; pod: string }, ip: string, port: number): Promise<string> => {
      const script = `
        const socket = require('node:net').connect(${port}, '${ip}')
        const end = (how) => { console.log(how); process.exit() }
        socket.once('connect', () => end('open')).once('error', ({ code }) => end(code))
        setTimeout(() => end('dropped'), 1500)`
      return (await kubectl('exec', '-n', from.namespace, from.pod, '--', NODE, '--eval', script)).trim()
    }

    let a: { coordinator: { name: string; ip: string }; worker: { name: string; ip: string } }
    let b: typeof a

    beforeAll(async () => {
      for (const name of ['a', 'b']) await apply(job(name))
      for (const name of ['a', 'b']) await runs(name)
      const podsOf = async (name: string): Promise<typeof a> => ({
        coordinator: await podOf(name, 'coordinator'),
        worker: await podOf(name, 'worker'),
      })
      a = await podsOf('a')
      b = await podsOf('b')
      for (const namespace of [TEAM, OTHERS]) await apply(visitor(namespace, { app: 'visitor' }))
      for (const namespace of [TEAM, OTHERS])
        await kubectl('wait', '--for=condition=Ready', 'pod/visitor', '-n', namespace, '--timeout=60s')
    }, LONG_MS)

    test('a network of their own: only pods of the same job and the operator connect', async () => {
      const inside = { namespace: TEAM, pod: a.worker.name }
      expect(await connects(inside, a.coordinator.ip, 6121)).toBe('open')
      expect(await connects(inside, a.coordinator.ip, 8081)).toBe('open')
      for (const from of [
        { namespace: TEAM, pod: b.worker.name },
        { namespace: TEAM, pod: 'visitor' },
        { namespace: OTHERS, pod: 'visitor' },
      ]) {
        expect(await connects(from, a.coordinator.ip, 6121), JSON.stringify(from)).toBe('dropped')
        expect(await connects(from, a.coordinator.ip, 8081), JSON.stringify(from)).toBe('dropped')
        expect(await connects(from, a.worker.ip, 6122), JSON.stringify(from)).toBe('dropped')
      }
      const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
      expect(await kubectl('get', 'sj', 'a', '-n', TEAM, '-o', ready)).toBe('True')
    })

    test('an image that says what it holds', async () => {
      const read = `console.log(require('node:fs').readFileSync('/app/sbom.cdx.json', 'utf8'))`
      const text = await kubectl('exec', '-n', TEAM, 'visitor', '--', NODE, '--eval', read)
      const { bomFormat, components } = JSON.parse(text) as { bomFormat: string; components: { name: string }[] }
      expect(bomFormat).toBe('CycloneDX')
      const names = components.map(({ name }) => name)
      expect(names).toEqual(expect.arrayContaining(['node', '@platformatic/kafka', 'undici']))
      for (const onlyForDevelopment of ['vitest', 'typescript']) expect(names).not.toContain(onlyForDevelopment)
    })

    test('no way to the operator', async () => {
      const form = 'jsonpath={.items[0].status.podIP}'
      const ip = await kubectl(
        'get',
        'pods',
        '-n',
        SYSTEM,
        '-l',
        'app.kubernetes.io/name=millrace-operator',
        '-o',
        form,
      )
      expect(await connects({ namespace: TEAM, pod: a.worker.name }, ip, 8080)).toBe('dropped')
    })

    test('a policy that is written again when somebody removes it', async () => {
      const uid = (): Promise<string> =>
        kubectl('get', 'networkpolicy', 'a-pods', '-n', TEAM, '--ignore-not-found', '-o', 'jsonpath={.metadata.uid}')
      const before = await uid()
      await kubectl('delete', 'networkpolicy', 'a-pods', '-n', TEAM)
      await until(
        'there is another policy',
        async () => (['', before].includes(await uid()) ? undefined : true),
        LONG_MS,
        250,
      )
    })

    test('metrics for those who are named, and an open network when told so, without another pod', async () => {
      const metrics = { namespace: OTHERS, pod: 'visitor' }
      const peer = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': OTHERS } } }
      await upgrade('--set-json', JSON.stringify({ networkPolicy: { metricsFrom: [peer] } }))
      const becomes = (how: string, port: number): Promise<true> =>
        until(
          `port ${port} is ${how}`,
          async () => ((await connects(metrics, a.coordinator.ip, port)) === how ? true : undefined),
          LONG_MS,
          250,
        )
      await becomes('open', 8081)
      expect(await connects(metrics, a.coordinator.ip, 6121)).toBe('dropped')
      await upgrade('--set', 'networkPolicy.jobs=false')
      await becomes('open', 6121)
      expect(await kubectl('get', 'networkpolicies', '-n', TEAM, '-o', 'name')).toBe('')
      await upgrade('--set', 'networkPolicy.jobs=true')
      await becomes('dropped', 6121)
      expect(await podOf('a', 'coordinator')).toEqual(a.coordinator)
      expect(await podOf('a', 'worker')).toEqual(a.worker)
    }, 300_000)

    test('a bound on where they connect when told so, which leaves them their own pods', async () => {
      const form = 'jsonpath={.status.podIP}'
      const ip = await kubectl('get', 'pod', 'visitor', '-n', OTHERS, '-o', form)
      const inside = { namespace: TEAM, pod: a.worker.name }
      expect(await connects(inside, ip, VISITOR_PORT)).toBe('open')
      await upgrade('--set-json', JSON.stringify({ networkPolicy: { jobEgress: [] } }))
      await until(
        'the way to others is closed',
        async () => ((await connects(inside, ip, VISITOR_PORT)) === 'dropped' ? true : undefined),
        LONG_MS,
        250,
      )
      expect(await connects(inside, a.coordinator.ip, 6121)).toBe('open')
      // a rule that names nobody allows all
      await upgrade('--set-json', JSON.stringify({ networkPolicy: { jobEgress: [{}] } }))
      await until(
        'it is open again',
        async () => ((await connects(inside, ip, VISITOR_PORT)) === 'open' ? true : undefined),
        LONG_MS,
        250,
      )
    }, 300_000)

    test('limits of memory and disk, into which the heap of Node fits, however small', async () => {
      const limits = 'jsonpath={.spec.containers[0].resources.limits}'
      expect(JSON.parse(await kubectl('get', 'pod', a.worker.name, '-n', TEAM, '-o', limits))).toEqual({
        memory: '2Gi',
        'ephemeral-storage': '12Gi',
      })
      await apply(job('small', { resources: { limits: { memory: '256Mi' } } }))
      await runs('small')
      const { name } = await podOf('small', 'worker')
      const script = `
        const { readFileSync } = require('node:fs')
        const flags = readFileSync('/proc/1/cmdline', 'utf8').split('\\0').filter((one) => one.startsWith('--'))
        const heap = require('node:child_process').execFileSync(process.execPath,
          [...flags, '--print', "require('node:v8').getHeapStatistics().heap_size_limit"])
        console.log(Number(heap) / 2 ** 20)`
      const heap = Number(await kubectl('exec', '-n', TEAM, name, '--', NODE, '--eval', script))
      expect(heap).toBeGreaterThan(100)
      expect(heap).toBeLessThan(200)
      await kubectl('delete', 'sj', 'small', '-n', TEAM, '--timeout=90s')
    })

    test('other defaults by an upgrade, to which they are brought at a savepoint', async () => {
      await upgrade('--set', 'jobs.defaults.podTemplate.metadata.labels.tier=gold')
      await until(
        'the job runs in pods with the label',
        async () => {
          const selector = 'millrace.dev/job=a,tier=gold'
          const pods = await kubectl('get', 'pods', '-n', TEAM, '-l', selector, '-o', 'name')
          const form = 'jsonpath={.status.phase} {.status.lastOperation.type} {.status.lastOperation.result}'
          const status = await kubectl('get', 'sj', 'a', '-n', TEAM, '-o', form)
          return pods !== '' && status === 'Running Upgrade Succeeded' ? true : undefined
        },
        LONG_MS,
        250,
      ).catch(async (cause: unknown) => {
        const told = await kubectl('get', 'sj', 'a', '-n', TEAM, '-o', 'jsonpath={.status}')
        throw new Error(`${told}\n${await kubectl('get', 'pods', '-n', TEAM)}`, { cause })
      })
    }, 300_000)

    test('an edit that waits for approval, of which a plan says beforehand what it will do', async () => {
      await apply(job('planned'))
      await runs('planned')
      await kubectl('annotate', 'sj', 'planned', '-n', TEAM, 'millrace.dev/approve-plan=required')
      const file = join(dir, 'planned.yaml')
      writeFileSync(file, JSON.stringify(job('planned', { replicas: 2 })))
      const planned = await startMillrace('plan', file, '-n', TEAM, '--kubeconfig', node.kubeconfig, '-o', 'json').ended
      expect(planned.code, planned.stderr).toBe(0)
      const told = JSON.parse(planned.stdout) as PlanStatus
      expect(told.class).toBe('rescale')
      await kubectl('apply', '-f', file)
      const read = async (): Promise<StreamJob> =>
        JSON.parse(await kubectl('get', 'sj', 'planned', '-n', TEAM, '-o', 'json')) as StreamJob
      const waiting = await until(
        'the edit waits',
        async () => ((await read()).status?.plan ? await read() : undefined),
        LONG_MS,
        250,
      )
      expect(waiting.status).toMatchObject({ phase: 'Running', plan: { class: told.class, steps: told.steps } })
      expect(waiting.status?.conditions).toContainEqual(
        expect.objectContaining({ type: 'Ready', status: 'False', reason: 'PlanReady' }) as object,
      )
      const approved = `millrace.dev/approved-plan=${waiting.status?.plan?.hash ?? ''}`
      await kubectl('annotate', 'sj', 'planned', '-n', TEAM, approved)
      await until(
        'the job runs with its other slots',
        async () => {
          const { status } = await read()
          const { type, result } = status?.lastOperation ?? {}
          return status?.phase === 'Running' && `${type} ${result}` === 'Rescale Succeeded' ? true : undefined
        },
        LONG_MS,
        250,
      )
      expect((await read()).status?.plan ?? null).toBeNull()
      await kubectl('delete', 'sj', 'planned', '-n', TEAM, '--timeout=90s')
    }, 300_000)
  })

  test('is upgraded with its CRDs', async () => {
    const newer = join(dir, 'chart')
    cpSync(CHART, newer, { recursive: true, dereference: true })
    const file = join(newer, 'definitions/streamjobs.yaml')
    const text = readFileSync(file, 'utf8')
    const [before, after] = ['A stream-processing job.', 'A job of the next version.']
    expect(text).toContain(before)
    writeFileSync(file, text.replace(before, after))
    await helm('upgrade', 'millrace', newer, '--reuse-values', '--wait', '--timeout', '120s')
    const schema = 'jsonpath={.spec.versions[0].schema.openAPIV3Schema.description}'
    expect(await kubectl('get', 'crd', 'streamjobs.millrace.dev', '-o', schema)).toContain(after)
  })

  test('was refused nothing by the API server', async () => {
    const log = await kubectl('logs', '-n', SYSTEM, 'deployment/millrace', '--tail=-1')
    expect(log.split('\n').filter((line) => /forbidden|\b40[13]\b/i.test(line))).toEqual([])
    await kubectl('delete', 'sj', '--all', '-n', TEAM, '--timeout=90s')
  })
})
