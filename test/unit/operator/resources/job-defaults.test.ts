import { describe, expect, test } from 'vitest'
import type { StreamJobSpec } from '../../../../operator/api/stream-job.ts'
import { pullSecretsOf, resourcesOf, templateFor } from '../../../../operator/resources/job-defaults.ts'
import { podProblems } from '../../../../operator/resources/pod-template.ts'
import { countsSpec } from '../../../harness/operator-world.ts'

const ofRelease = {
  requests: { cpu: '100m', memory: '128Mi' },
  limits: { memory: '2Gi', 'ephemeral-storage': '12Gi' },
}

function inTemplate(container: object): Partial<StreamJobSpec> {
  return { podTemplate: { spec: { containers: [{ name: 'millrace', ...container }] } } }
}

describe('resources of workers', () => {
  test.each<[string, Partial<StreamJobSpec>, object]>([
    ['says nothing are those of the release', {}, ofRelease],
    [
      'limits memory have nothing of the release for memory, and the rest of it',
      { resources: { limits: { memory: '4Gi' } } },
      { requests: { cpu: '100m' }, limits: { memory: '4Gi', 'ephemeral-storage': '12Gi' } },
    ],
    [
      'requests more than the release allows have no limit that would be less',
      { resources: { requests: { memory: '8Gi' } } },
      { requests: { cpu: '100m', memory: '8Gi' }, limits: { 'ephemeral-storage': '12Gi' } },
    ],
    [
      'says some in resources and others in its template have both',
      {
        resources: { requests: { memory: '1Gi' } },
        ...inTemplate({ resources: { limits: { memory: '3Gi' }, claims: [{ name: 'gpu' }] } }),
      },
      {
        requests: { cpu: '100m', memory: '1Gi' },
        limits: { memory: '3Gi', 'ephemeral-storage': '12Gi' },
        claims: [{ name: 'gpu' }],
      },
    ],
  ])('of a job that %s', (_what, changes, expected) => {
    expect(resourcesOf('worker', countsSpec(changes), { resources: ofRelease })).toEqual(expected)
  })

  test('of a release that says nothing are requests only', () => {
    expect(resourcesOf('worker', countsSpec(), undefined)).toEqual({ requests: { cpu: '100m', memory: '128Mi' } })
  })

  test('when resources and template say two amounts are refused with both values, unless they were kept long ago', () => {
    const spec = { ...countsSpec(inTemplate({ resources: { limits: { memory: '3Gi' } } })) }
    const twice = { ...spec, resources: { limits: { memory: '4Gi', cpu: '2' } } }
    expect(podProblems(twice, 'written')).toMatchObject([
      {
        code: 'RESOURCES_AMBIGUOUS',
        path: 'spec.resources.limits.memory',
        message: 'is "4Gi", and "3Gi" in podTemplate.spec.containers[0]',
      },
    ])
    expect(podProblems(twice, 'kept')).toEqual([])
    expect(podProblems({ ...spec, resources: { limits: { memory: '3Gi' } } }, 'written')).toEqual([])
  })
})

test('resources of a coordinator are its own, not those of workers', () => {
  const spec = countsSpec({
    resources: { limits: { memory: '8Gi' } },
    coordinator: { resources: { limits: { memory: '1Gi' } } },
  })
  const defaults = { resources: ofRelease, coordinator: { resources: { requests: { cpu: '50m', memory: '64Mi' } } } }
  expect(resourcesOf('coordinator', spec, defaults)).toEqual({ requests: { cpu: '50m' }, limits: { memory: '1Gi' } })
})

test('the template of a job goes over that of the release: mappings are merged, named things by name, lists replaced', () => {
  const podTemplate = {
    metadata: { labels: { team: 'data', tier: 'batch' } },
    spec: {
      nodeSelector: { pool: 'jobs' },
      tolerations: [{ key: 'jobs' }],
      volumes: [
        { name: 'ca', configMap: { name: 'ca' } },
        { name: 'scratch', emptyDir: {} },
      ],
      containers: [{ name: 'millrace', volumeMounts: [{ name: 'ca', mountPath: '/ca' }] }],
    },
  }
  const own = {
    metadata: { labels: { tier: 'live' } },
    spec: {
      nodeSelector: { disk: 'nvme' },
      tolerations: [{ key: 'nvme' }],
      volumes: [{ name: 'scratch', persistentVolumeClaim: { claimName: 'mine' } }],
      containers: [{ name: 'millrace', volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] }],
    },
  }
  expect(templateFor(countsSpec({ podTemplate: own }), { podTemplate })).toEqual({
    labels: { team: 'data', tier: 'live' },
    annotations: {},
    spec: {
      nodeSelector: { pool: 'jobs', disk: 'nvme' },
      tolerations: [{ key: 'nvme' }],
      volumes: [
        { name: 'ca', configMap: { name: 'ca' } },
        { name: 'scratch', persistentVolumeClaim: { claimName: 'mine' } },
      ],
    },
    container: {
      name: 'millrace',
      volumeMounts: [
        { name: 'ca', mountPath: '/ca' },
        { name: 'scratch', mountPath: '/scratch' },
      ],
    },
  })
})

test('pull secrets of the release come before those of a job, each once', () => {
  const spec = countsSpec({ imagePullSecrets: [{ name: 'own' }, { name: 'both' }] })
  expect(pullSecretsOf(spec, { imagePullSecrets: [{ name: 'release' }, { name: 'both' }] })).toEqual([
    { name: 'release' },
    { name: 'own' },
    { name: 'both' },
  ])
})
