import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { arrayAt, numberAt, objectAt, stringAt } from '../../embedded/objects.ts'
import type { KubeObject } from '../../embedded/objects.ts'
import type { TestCluster } from './embedded-cluster.ts'
import { runSampleContainer, samplePod, startTestCluster, untilObject } from './embedded-cluster.ts'
import { isAlive } from '../harness/is-alive.ts'

let cluster: TestCluster | undefined

async function start(options: Parameters<typeof startTestCluster>[0] = {}): Promise<TestCluster> {
  cluster = await startTestCluster({ node: {}, ...options })
  return cluster
}

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

const phaseOf = (pod: KubeObject | undefined): string | undefined => stringAt(pod, 'status', 'phase')
const conditionOf = (pod: KubeObject | undefined, type: string): string | undefined =>
  stringAt(
    arrayAt(pod, 'status', 'conditions').find((one) => stringAt(one, 'type') === type),
    'status',
  )

describe('the embedded node', { timeout: 30_000 }, () => {
  test('runs a pod at an address of its own and reports it ready only when its probe succeeds', async () => {
    const { server } = await start()
    const probe = { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1 }
    server
      .local('test')
      .create(
        'pods',
        'default',
        samplePod(
          'a',
          ['serve', '18080', 'unready'],
          {},
          { ports: [{ name: 'http', containerPort: 18080 }], readinessProbe: probe },
        ),
      )
    const running = await untilObject(server, 'pods', 'a', (pod) => phaseOf(pod) === 'Running')
    expect(conditionOf(running, 'Ready')).toBe('False')
    const address = stringAt(running, 'status', 'podIP') ?? ''
    expect(address).toMatch(/^127\.\d+\.\d+\.\d+$/)
    await untilAnswers(`http://${address}:18080/make-ready`)
    const ready = await untilObject(server, 'pods', 'a', (pod) => conditionOf(pod, 'Ready') === 'True')
    expect(arrayAt(ready, 'status', 'containerStatuses')[0]).toMatchObject({ ready: true, restartCount: 0 })
  })

  test('gives containers their environment, secrets, config files and volume paths', async () => {
    const { server } = await start({ node: { logRetention: 'keep' } })
    const local = server.local('test')
    local.create('configmaps', 'default', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'config' },
      data: { 'job.yaml': 'hello: 1', LEVEL: 'debug' },
    })
    local.create('secrets', 'default', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys' },
      stringData: { password: 'p w' },
    })
    local.create(
      'pods',
      'default',
      samplePod(
        'show',
        ['show', '/etc/job/job.yaml', '--dir=/data/x', '--name=$(POD_NAME)'],
        {
          restartPolicy: 'Never',
          volumes: [
            { name: 'job', configMap: { name: 'config' } },
            { name: 'data', emptyDir: {} },
          ],
        },
        {
          volumeMounts: [
            { name: 'job', mountPath: '/etc/job' },
            { name: 'data', mountPath: '/data' },
          ],
          envFrom: [{ prefix: 'C_', configMapRef: { name: 'config' } }],
          env: [
            { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'keys', key: 'password' } } },
            { name: 'STORE', value: 'file:///data/store' },
            { name: 'MISSING', valueFrom: { secretKeyRef: { name: 'none', key: 'x', optional: true } } },
          ],
        },
      ),
    )
    const pod = await untilObject(server, 'pods', 'show', (one) => phaseOf(one) === 'Succeeded')
    const log = await readFile(`${cluster?.dir}/node/logs/default_show_${pod?.metadata.uid}/main/0.log`, 'utf8')
    const shown = JSON.parse(
      log
        .split('\n')
        .find((line) => line.includes('{'))
        ?.replace(/^\S+ /, '') ?? '{}',
    ) as { args: string[]; env: Record<string, string>; file: string }
    expect(shown.file).toBe('hello: 1')
    expect(shown.args[1]).toMatch(/^--dir=.+\/volumes\/data\/x$/)
    expect(shown.args[2]).toBe('--name=show')
    expect(shown.env).toMatchObject({ POD_NAME: 'show', APP: 'show', PASSWORD: 'p w', C_LEVEL: 'debug' })
    expect(shown.env['STORE']).toMatch(/^file:\/\/.+\/volumes\/data\/store$/)
    expect(shown.env).not.toHaveProperty('MISSING')
  })

  test('waits with CreateContainerConfigError until a missing secret is there', async () => {
    const { server } = await start()
    server
      .local('test')
      .create(
        'pods',
        'default',
        samplePod('late', ['serve', '18081'], {}, { envFrom: [{ secretRef: { name: 'late' } }] }),
      )
    const waiting = await untilObject(
      server,
      'pods',
      'late',
      (pod) =>
        stringAt(arrayAt(pod, 'status', 'containerStatuses')[0], 'state', 'waiting', 'reason') ===
        'CreateContainerConfigError',
    )
    expect(phaseOf(waiting)).toBe('Pending')
    server.local('test').create('secrets', 'default', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'late' } })
    await untilObject(server, 'pods', 'late', (pod) => phaseOf(pod) === 'Running')
  })

  test('restarts a container that was killed and shows how it ended', async () => {
    const { server, node } = await start()
    server.local('test').create('pods', 'default', samplePod('again', ['serve', '18082']))
    await untilObject(server, 'pods', 'again', (pod) => phaseOf(pod) === 'Running')
    const pid = node?.pidOf('default', 'again') ?? 0
    process.kill(pid, 'SIGKILL')
    const restarted = await untilObject(server, 'pods', 'again', (pod) => {
      const status = arrayAt(pod, 'status', 'containerStatuses')[0]
      return numberAt(status, 'restartCount') === 1 && stringAt(status, 'state', 'running', 'startedAt') !== undefined
    })
    expect(objectAt(arrayAt(restarted, 'status', 'containerStatuses')[0], 'lastState', 'terminated')).toMatchObject({
      exitCode: 137,
      signal: 9,
      reason: 'Error',
    })
    expect(node?.pidOf('default', 'again')).not.toBe(pid)
  })

  test('backs off a container that keeps failing, and fails the pod at once when it must not restart', async () => {
    const { server } = await start()
    server.local('test').create('pods', 'default', samplePod('crashing', ['exit', '3']))
    server.local('test').create('pods', 'default', samplePod('once', ['exit', '3'], { restartPolicy: 'Never' }))
    await untilObject(
      server,
      'pods',
      'crashing',
      (pod) =>
        stringAt(arrayAt(pod, 'status', 'containerStatuses')[0], 'state', 'waiting', 'reason') === 'CrashLoopBackOff',
    )
    const failed = await untilObject(server, 'pods', 'once', (pod) => phaseOf(pod) === 'Failed')
    expect(objectAt(arrayAt(failed, 'status', 'containerStatuses')[0], 'state', 'terminated')).toMatchObject({
      exitCode: 3,
      reason: 'Error',
    })
  })

  test('stops a deaf process with SIGKILL after its grace period and only then removes the pod', async () => {
    const { server, node } = await start()
    server.local('test').create('pods', 'default', samplePod('deaf', ['deaf'], { terminationGracePeriodSeconds: 1 }))
    await untilObject(server, 'pods', 'deaf', (pod) => phaseOf(pod) === 'Running')
    const pid = node?.pidOf('default', 'deaf') ?? 0
    server.local('test').remove('pods', 'default', 'deaf')
    const ending = server.local('test').get('pods', 'default', 'deaf')
    expect(ending?.metadata.deletionTimestamp).toBeDefined()
    expect(isAlive(pid)).toBe(true)
    await untilObject(server, 'pods', 'deaf', (pod) => pod === undefined)
    expect(isAlive(pid)).toBe(false)
  })

  test('ends every process when it is closed', async () => {
    const { server, node } = await start({ node: { closeGraceMs: 200, commandFor: runSampleContainer } })
    for (const name of ['x', 'y']) server.local('test').create('pods', 'default', samplePod(name, ['deaf']))
    for (const name of ['x', 'y']) await untilObject(server, 'pods', name, (pod) => phaseOf(pod) === 'Running')
    const pids = ['x', 'y'].map((name) => node?.pidOf('default', name) ?? 0)
    expect(pids.every(isAlive)).toBe(true)
    await node?.close()
    expect(pids.some(isAlive)).toBe(false)
  })

  test('leaves no process behind when the process it lives in is killed', async () => {
    const host = spawn(process.execPath, [new URL('./node-host.ts', import.meta.url).pathname], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const pid = Number(
      await new Promise<string>((resolve) => host.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString()))),
    )
    expect(isAlive(pid)).toBe(true)
    host.kill('SIGKILL')
    while (isAlive(pid)) await setTimeout(20)
  })

  test('refuses an image nobody knows how to run, with the reason in the status', async () => {
    const { server } = await start({ node: { commandFor: () => undefined } })
    server.local('test').create('pods', 'default', samplePod('foreign', [], { restartPolicy: 'Never' }))
    const failed = await untilObject(server, 'pods', 'foreign', (pod) => phaseOf(pod) === 'Failed')
    expect(stringAt(arrayAt(failed, 'status', 'containerStatuses')[0], 'state', 'terminated', 'message')).toContain(
      'millrace:test',
    )
  })
})

/** Asks again until somebody listens there. */
async function untilAnswers(url: string): Promise<void> {
  for (;;) {
    const isAnswered = await new Promise<boolean>((resolve) => {
      get(url, (response) => {
        response.resume()
        resolve(true)
      }).on('error', () => setImmediate(() => resolve(false)))
    })
    if (isAnswered) return
  }
}
