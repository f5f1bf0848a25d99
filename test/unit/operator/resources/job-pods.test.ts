import { describe, expect, test } from 'vitest'
import { API_VERSION } from '../../../../operator/api/stream-job.ts'
import type { Pod } from '../../../../operator/kube/objects.ts'
import type { StreamJobSpec } from '../../../../operator/api/stream-job.ts'
import { coordinatorPod } from '../../../../operator/resources/coordinator-pod.ts'
import { jobToken } from '../../../../operator/resources/hash.ts'
import type { PodContext } from '../../../../operator/resources/job-pod.ts'
import { HASH_ANNOTATION } from '../../../../operator/resources/labels.ts'
import { podProblems } from '../../../../operator/resources/pod-template.ts'
import { inTemplate, templateHash, UNNAMED } from '../../../../operator/resources/template.ts'
import { coordinatorAddress, withCoordinator, workerPod } from '../../../../operator/resources/worker-pod.ts'
import { readRuntimeConfig } from '../../../../runtime/config.ts'
import { decodeReach } from '../../../../runtime/model/reach.ts'
import { countsSpec } from '../../../harness/operator-world.ts'

function contextOf(changes: Partial<StreamJobSpec> = {}, addressing: 'service' | 'podIP' = 'service'): PodContext {
  const spec = countsSpec(changes)
  return {
    spec,
    tokenSecret: 'counts-token-1',
    settings: {
      image: 'millrace:1',
      imagePullPolicy: 'IfNotPresent',
      store: 'file:///checkpoints',
      addressing,
      encryption: 'on',
      maxSubtasks: 1000,
    },
    job: {
      apiVersion: API_VERSION,
      kind: 'StreamJob',
      metadata: { name: 'counts', namespace: 'shop', uid: 'u-1' },
      spec,
    },
  }
}

const worker = (changes: Partial<StreamJobSpec> = {}): ReturnType<typeof workerPod> =>
  workerPod(contextOf(changes), { chain: 'hot', slot: 1 })

describe('pods of a job', () => {
  test('are named, labelled and owned as promised', () => {
    expect(worker().metadata).toMatchObject({
      name: 'counts-hot-1',
      namespace: 'shop',
      labels: {
        'millrace.dev/job': 'counts',
        'millrace.dev/chain': 'hot',
        'millrace.dev/slot': '1',
        'millrace.dev/role': 'worker',
      },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'StreamJob', name: 'counts', uid: 'u-1', controller: true }],
    })
    expect(coordinatorPod(contextOf()).metadata.name).toBe('counts-coordinator')
  })

  test('whose checkpoints are signed have the keys in the coordinator alone', () => {
    const context = contextOf()
    const settings: PodContext['settings'] = { ...context.settings, signing: { secret: 'keys', unsigned: 'refuse' } }
    const names = ({ spec }: Pod): string[] =>
      (spec as { containers: { env: { name: string }[] }[] }).containers.flatMap(({ env }) =>
        env.map(({ name }) => name),
      )
    const coordinator = coordinatorPod({ ...context, settings })
    expect(names(coordinator)).toEqual(expect.arrayContaining(['MILLRACE_SIGNING_KEYS', 'MILLRACE_UNSIGNED']))
    expect(JSON.stringify(coordinator)).toContain('{"secretKeyRef":{"name":"keys","key":"signing-keys"}}')
    expect(JSON.stringify(workerPod({ ...context, settings }, { chain: 'hot', slot: 1 }))).not.toContain('signing')
  })

  test('are rendered as in the golden form', () => {
    expect(withCoordinator(worker(), 'counts-coordinator.shop.svc:6121').spec).toMatchInlineSnapshot(`
      {
        "automountServiceAccountToken": false,
        "containers": [
          {
            "args": [
              "worker",
            ],
            "env": [
              {
                "name": "TMPDIR",
                "value": "/var/run/millrace/tmp",
              },
              {
                "name": "MILLRACE_JOB",
                "value": "counts",
              },
              {
                "name": "MILLRACE_NAMESPACE",
                "value": "shop",
              },
              {
                "name": "MILLRACE_JOB_UID",
                "value": "u-1",
              },
              {
                "name": "MILLRACE_STORE",
                "value": "file:///checkpoints",
              },
              {
                "name": "MILLRACE_POD_IP",
                "valueFrom": {
                  "fieldRef": {
                    "fieldPath": "status.podIP",
                  },
                },
              },
              {
                "name": "MILLRACE_CONTROL_PORT",
                "value": "6121",
              },
              {
                "name": "MILLRACE_HTTP_PORT",
                "value": "8081",
              },
              {
                "name": "MILLRACE_DATA_PORT",
                "value": "6122",
              },
              {
                "name": "MILLRACE_ENCRYPTION",
                "value": "on",
              },
              {
                "name": "MILLRACE_TOKEN",
                "valueFrom": {
                  "secretKeyRef": {
                    "key": "token",
                    "name": "counts-token-1",
                  },
                },
              },
              {
                "name": "MILLRACE_CHAIN",
                "value": "hot",
              },
              {
                "name": "MILLRACE_SLOT",
                "value": "1",
              },
              {
                "name": "MILLRACE_HEALTH_PORT",
                "value": "8081",
              },
              {
                "name": "MILLRACE_COORDINATOR",
                "value": "counts-coordinator.shop.svc:6121",
              },
            ],
            "image": "millrace:1",
            "imagePullPolicy": "IfNotPresent",
            "livenessProbe": {
              "failureThreshold": 9,
              "httpGet": {
                "path": "/healthz",
                "port": 8081,
              },
              "periodSeconds": 10,
              "timeoutSeconds": 5,
            },
            "name": "millrace",
            "ports": [
              {
                "containerPort": 6122,
                "name": "data",
              },
              {
                "containerPort": 8081,
                "name": "health",
              },
            ],
            "readinessProbe": {
              "httpGet": {
                "path": "/healthz",
                "port": 8081,
              },
              "periodSeconds": 2,
              "timeoutSeconds": 2,
            },
            "resources": {
              "requests": {
                "cpu": "100m",
                "memory": "128Mi",
              },
            },
            "securityContext": {
              "allowPrivilegeEscalation": false,
              "capabilities": {
                "drop": [
                  "ALL",
                ],
              },
              "readOnlyRootFilesystem": true,
              "runAsNonRoot": true,
            },
            "volumeMounts": [
              {
                "mountPath": "/var/run/millrace/tmp",
                "name": "millrace-tmp",
              },
            ],
          },
        ],
        "enableServiceLinks": false,
        "restartPolicy": "OnFailure",
        "securityContext": {
          "fsGroup": 65532,
          "fsGroupChangePolicy": "OnRootMismatch",
          "runAsGroup": 65532,
          "runAsNonRoot": true,
          "runAsUser": 65532,
          "seccompProfile": {
            "type": "RuntimeDefault",
          },
        },
        "terminationGracePeriodSeconds": 10,
        "volumes": [
          {
            "emptyDir": {},
            "name": "millrace-tmp",
          },
        ],
      }
    `)
  })

  test('satisfy Pod Security "restricted" and carry no token whatever the template says', () => {
    const pod = worker({
      podTemplate: {
        spec: {
          automountServiceAccountToken: true,
          hostNetwork: true,
          restartPolicy: 'Never',
          securityContext: { runAsNonRoot: false, runAsUser: 1000 },
          containers: [{ name: 'millrace', securityContext: { privileged: true }, args: ['sh'] }],
        },
      },
    })
    expect(pod.spec).toMatchObject({
      automountServiceAccountToken: false,
      restartPolicy: 'OnFailure',
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          args: ['worker'],
          securityContext: { allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
        },
      ],
    })
  })

  test('with a forbidden template are refused with the path of each field', () => {
    const problems = podProblems(
      {
        env: [{ name: 'MILLRACE_TOKEN', value: 'x' }],
        podTemplate: {
          metadata: { labels: { 'millrace.dev/job': 'other' } },
          spec: {
            hostNetwork: true,
            securityContext: { runAsUser: 0 },
            volumes: [{ name: 'v', hostPath: { path: '/' } }],
            containers: [{ name: 'side' }],
          },
        },
      },
      'written',
    )
    expect(problems.map(({ path }) => path)).toEqual([
      'spec.podTemplate.metadata.labels["millrace.dev/job"]',
      'spec.podTemplate.spec.hostNetwork',
      'spec.podTemplate.spec.securityContext.runAsUser',
      'spec.podTemplate.spec.volumes[0].hostPath',
      'spec.podTemplate.spec.containers',
      'spec.env[0].name',
    ])
  })

  describe('with a claim for the checkpoint store', () => {
    const podWith = (changes: Partial<StreamJobSpec>): ReturnType<typeof coordinatorPod> => {
      const context = contextOf(changes)
      return coordinatorPod({
        ...context,
        settings: { ...context.settings, storeVolume: { claim: 'shared', path: '/checkpoints' } },
      })
    }
    const mounted = {
      volumes: expect.arrayContaining([
        { name: 'millrace-store', persistentVolumeClaim: { claimName: 'shared' } },
      ]) as unknown,
    }
    const mounts = (pod: Pod): unknown[] =>
      (pod.spec as { containers: { volumeMounts: unknown[] }[] }).containers[0]?.volumeMounts.slice(1) ?? []

    test.each<[string, Partial<StreamJobSpec>, string]>([
      ['no store', {}, 'shop/counts/u-1'],
      ['one in it', { checkpoints: { store: 'file:///checkpoints/mine' } }, 'mine/shop/counts/u-1'],
      ['the same with a slash', { checkpoints: { store: '/checkpoints/' } }, 'shop/counts/u-1'],
    ])('see the folder of their own job in it when the job names %s', (_what, changes, subPath) => {
      expect(podWith(changes).spec).toMatchObject(mounted)
      expect(mounts(podWith(changes))).toEqual([
        { name: 'millrace-store', mountPath: `/checkpoints/${subPath}`, subPath },
      ])
    })

    test('keep the folder where the runtime looks for the checkpoints of the job', () => {
      const env = Object.fromEntries(
        (podWith({}).spec as { containers: { env: { name: string; value?: string }[] }[] }).containers[0]?.env.map(
          ({ name, value = '' }) => [name, value],
        ) ?? [],
      )
      const { store, storeFolder } = readRuntimeConfig({ ...env, MILLRACE_TOKEN: 't' })
      expect(mounts(podWith({}))).toMatchObject([{ mountPath: `${store.replace('file://', '')}/${storeFolder}` }])
    })

    test('of a job that restores see the state of others, in the coordinator only, and cannot write it', () => {
      const context = contextOf({ restore: { path: '/checkpoints/shop/other/u-2' } })
      const settings = { ...context.settings, storeVolume: { claim: 'shared', path: '/checkpoints' } }
      const own = { name: 'millrace-store', mountPath: '/checkpoints/shop/counts/u-1', subPath: 'shop/counts/u-1' }
      expect(mounts(coordinatorPod({ ...context, settings }))).toEqual([
        { name: 'millrace-store', mountPath: '/checkpoints', readOnly: true },
        own,
      ])
      expect(mounts(workerPod({ ...context, settings }, { chain: 'hot', slot: 0 }))).toEqual([own])
    })

    test('leave it away when the template mounts that folder itself, or the store lies elsewhere', () => {
      const template = (mountPath: string): Partial<StreamJobSpec> => ({
        podTemplate: {
          spec: {
            volumes: [{ name: 'own', emptyDir: {} }],
            containers: [{ name: 'millrace', volumeMounts: [{ name: 'own', mountPath }] }],
          },
        },
      })
      for (const changes of [
        template('/checkpoints'),
        template('/checkpoints/'),
        { checkpoints: { store: 'file:///app' } },
        { checkpoints: { store: 'file:///checkpoints/../app' } },
      ]) {
        expect(podWith(changes).spec).not.toMatchObject(mounted)
      }
      expect(podWith(template('/other')).spec).toMatchObject(mounted)
    })
  })

  test('carry what they may reach, behind all that the author sets', () => {
    const context = contextOf({ env: [{ name: 'A', value: 'b' }] })
    const pod = workerPod(
      { ...context, settings: { ...context.settings, reach: { files: ['/opt'], addresses: [] } } },
      { chain: 'hot', slot: 1 },
    )
    const { env } = (pod.spec as { containers: [{ env: { name: string; value: string }[] }] }).containers[0]
    expect(env.map(({ name }) => name).indexOf('MILLRACE_REACH')).toBeGreaterThan(0)
    expect(decodeReach(env.find(({ name }) => name === 'MILLRACE_REACH')?.value ?? '')).toEqual({
      files: ['/opt'],
      secrets: [],
      addresses: [],
    })
    expect(podProblems({ env: [{ name: 'MILLRACE_REACH', value: '{}' }] }, 'written')).toMatchObject([
      { code: 'ENV_RESERVED' },
    ])
  })

  test('of workers mount the modules that lie in ConfigMaps, each in a folder of its name; coordinators run no code of the user', () => {
    const modules = { totals: { configMap: 'counts-functions', key: 'totals.mjs' }, own: { image: '/app/own.mjs' } }
    expect(worker({ modules }).spec).toMatchObject({
      volumes: expect.arrayContaining([
        {
          name: 'millrace-modules',
          projected: {
            sources: [
              { configMap: { name: 'counts-functions', items: [{ key: 'totals.mjs', path: 'totals/totals.mjs' }] } },
            ],
          },
        },
      ]),
      containers: [
        {
          volumeMounts: expect.arrayContaining([
            { name: 'millrace-modules', mountPath: '/etc/millrace/modules', readOnly: true },
          ]),
          env: expect.arrayContaining([{ name: 'MILLRACE_MODULES', value: '/etc/millrace/modules' }]),
        },
      ],
    })
    expect(JSON.stringify(coordinatorPod(contextOf({ modules })))).not.toContain('millrace-modules')
    expect(worker({ modules }).metadata.annotations?.[HASH_ANNOTATION]).not.toBe(
      worker().metadata.annotations?.[HASH_ANNOTATION],
    )
  })

  test('change their hash with image, environment and template, and not with replicas', () => {
    const hash = (changes: Partial<StreamJobSpec>): string | undefined =>
      worker(changes).metadata.annotations?.[HASH_ANNOTATION]
    const base = hash({})
    expect(hash({ replicas: 7 })).toBe(base)
    for (const changes of [
      { image: 'x' },
      { env: [{ name: 'A', value: 'b' }] },
      { restartNonce: '1' },
      { podTemplate: { spec: { nodeSelector: { a: 'b' } } } },
    ]) {
      expect(hash(changes)).not.toBe(base)
    }
  })

  test('of one template share its name, in theirs and as a label, whatever their number and graph', () => {
    const template = templateHash(contextOf())
    expect(template).toMatch(/^[0-9a-f]{8}$/)
    expect(inTemplate(worker(), template).metadata).toMatchObject({
      name: `counts-hot-1-${template}`,
      labels: { 'millrace.dev/template': template, 'millrace.dev/chain': 'hot' },
      annotations: worker().metadata.annotations,
    })
    const [, ...graph] = countsSpec().graph
    for (const changes of [{ replicas: 9 }, { graph }, { checkpoints: { interval: '1s' } }])
      expect(templateHash(contextOf(changes))).toBe(template)
    for (const changes of [{ image: 'x' }, { resources: { limits: { cpu: '1' } } }, { restartNonce: '1' }])
      expect(templateHash(contextOf(changes))).not.toBe(template)
  })

  test('find the coordinator of their template by its host name in the Service, or by the address its pod has', () => {
    const rendered = inTemplate(coordinatorPod(contextOf()), 'abcd0123')
    expect(rendered.spec).toMatchObject({ hostname: 'coordinator-abcd0123', subdomain: 'counts-coordinator' })
    const host = 'coordinator-abcd0123.counts-coordinator.shop.svc:6121'
    expect(coordinatorAddress(contextOf(), rendered, undefined)).toBe(host)
    expect(coordinatorAddress(contextOf(), rendered, rendered)).toBe(host)
    const context = contextOf({}, 'podIP')
    expect(coordinatorAddress(context, rendered, undefined)).toBeUndefined()
    expect(coordinatorAddress(context, rendered, { ...rendered, status: { podIP: '10.1.2.3' } })).toBe('10.1.2.3:6121')
  })

  test('that were made before templates find their coordinator by the name of the Service alone', () => {
    const unnamed = inTemplate(coordinatorPod(contextOf()), UNNAMED)
    const rendered = inTemplate(coordinatorPod(contextOf()), 'abcd0123')
    expect(unnamed.metadata.name).toBe('counts-coordinator')
    expect(coordinatorAddress(contextOf(), rendered, unnamed)).toBe('counts-coordinator.shop.svc:6121')
  })

  test('of different jobs have different tokens, the same after a restart of the operator', () => {
    const key = 'k'.repeat(32)
    expect(jobToken(key, 'a')).toBe(jobToken(key, 'a'))
    expect(jobToken(key, 'a')).not.toBe(jobToken(key, 'b'))
  })
})
