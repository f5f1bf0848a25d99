import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startApiServer } from '../../embedded/api-server.ts'
import type { EmbeddedApiServer } from '../../embedded/api-server.ts'
import type { JsonObject } from '../../embedded/objects.ts'
import { druidDatasources } from '../../operator/druid/druid-datasource.ts'
import { kubeEvents } from '../../operator/kube/resource-type.ts'
import { kubeConnection } from '../../operator/real/kube-config.ts'
import { certifiable } from '../harness/certification/certify.ts'
import { DruidScene } from '../harness/certification/druid-scene.ts'
import { DRUID_STORIES } from '../harness/certification/druid-stories.ts'
import { knownFor } from '../harness/certification/known.ts'
import { mishapsOf } from '../harness/certification/mishaps.ts'
import { sampleDatasource } from '../harness/druid-sample.ts'
import { ServedKube } from './served-kube.ts'

describe('a call of the operator over HTTP', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-certify-'))
  let server: EmbeddedApiServer
  let kube: ServedKube

  beforeAll(async () => {
    const crd = parse(readFileSync('crds/druiddatasources.yaml', 'utf8')) as JsonObject
    server = await startApiServer({ dir, crds: [crd] })
    server.local('tester').create('namespaces', '', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
    const connection = await kubeConnection(server.kubeconfigPath)
    kube = new ServedKube(connection, server.local('scene'), [druidDatasources, kubeEvents])
  })
  afterAll(async () => {
    await kube.close()
    await server.close()
    rmSync(dir, { recursive: true, force: true })
  })

  test.each(['create a supervisor', 'update a supervisor', 'delete a DruidDatasource'])(
    'that meets a mishap, in %s, changes neither what is done nor what is told of it',
    async (name) => {
      const played = DRUID_STORIES.find((one) => one.name === name)
      if (played === undefined) throw new Error(`there is no story ${name}`)
      const story = certifiable({
        ...played,
        begin: async (strike) => {
          kube.clear()
          const { metadata, ...rest } = sampleDatasource()
          const { name: of, namespace = '' } = metadata
          const scene = await DruidScene.create(strike, { ...rest, metadata: { name: of, namespace } }, kube)
          return name === 'create a supervisor' ? scene : scene.untilRunning()
        },
      })
      const wrong: unknown[] = []
      let tried = 0
      for (const mishap of mishapsOf(['API server'])) {
        const verdict = await story.certify(mishap, (points) => Array.from({ length: points }, (_, nr) => nr))
        tried += verdict.tried
        for (const difference of verdict.differences)
          if (knownFor(verdict, difference) === undefined) wrong.push({ mishap: mishap.name, ...difference })
      }
      expect(wrong).toEqual([])
      expect(tried).toBeGreaterThan(20)
    },
    120_000,
  )
})
