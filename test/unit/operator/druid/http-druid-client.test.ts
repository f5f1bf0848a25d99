import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { HttpDruidClient } from '../../../../operator/druid/http-druid-client.ts'
import { desiredSupervisor } from '../../../../operator/druid/supervisor-spec.ts'
import { describeWithCauses } from '../../../../runtime/model/errors.ts'
import { FakeDruid } from '../../../harness/fake-druid.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const spec = desiredSupervisor(sampleDatasource()).spec
let druid: FakeDruid
let routerUrl: string

beforeEach(async () => {
  druid = new FakeDruid()
  routerUrl = await druid.start()
})
afterEach(() => druid.stop())

describe('the HTTP client', () => {
  test('says absent for a supervisor that Druid does not know', async () => {
    const client = new HttpDruidClient({ routerUrl })
    expect(await client.supervisor('nope')).toBeUndefined()
    expect(await client.status('nope')).toBeUndefined()
    expect(await client.history('nope')).toEqual([])
    expect(await client.terminate('nope')).toBe('absent')
  })

  test('counts a repeated suspend and resume as success', async () => {
    const client = new HttpDruidClient({ routerUrl })
    await client.applySupervisor(spec)
    expect([await client.suspend('clicks'), await client.suspend('clicks')]).toEqual(['done', 'already'])
    expect([await client.resume('clicks'), await client.resume('clicks')]).toEqual(['done', 'already'])
  })

  test('tells the age of tasks by the clock of Druid, whose Router sends the time twice', async () => {
    druid.completedTasks = 'tasks-failed-stream'
    const [task] = await new HttpDruidClient({ routerUrl }).tasks('clicks', 'complete', 1)
    const recordedAt = Date.parse('2026-11-21T07:30:00Z')
    expect(task?.ageMs).toBeGreaterThan(0)
    expect(Math.abs(Date.now() - recordedAt - (task?.ageMs ?? 0))).toBeLessThan(3_600_000)
  })

  test('asks Druid not to restart what has not changed', async () => {
    const client = new HttpDruidClient({ routerUrl })
    await client.applySupervisor(spec)
    await client.applySupervisor(spec)
    expect(druid.supervisors.get('clicks')?.restarts).toBe(0)
  })

  test.each([
    [503, 'DRUID_UNREACHABLE', true],
    [307, 'DRUID_UNREACHABLE', true],
    [401, 'DRUID_UNAUTHORIZED', true],
    [403, 'DRUID_UNAUTHORIZED', true],
    [500, 'DRUID_FAILED', true],
    [400, 'DRUID_REJECTED', false],
    [404, 'DRUID_FAILED', true],
  ])('answers status %i with %s', async (status, code, retriable) => {
    druid.failure = status
    await expect(new HttpDruidClient({ routerUrl }).supervisor('clicks')).rejects.toMatchObject({ code, retriable })
    expect(druid.calls).toHaveLength(1)
  })

  test('says that Druid cannot be reached when the connection breaks', async () => {
    druid.failure = 'refuse'
    await expect(new HttpDruidClient({ routerUrl }).status('clicks')).rejects.toMatchObject({
      code: 'DRUID_UNREACHABLE',
      retriable: true,
    })
  })

  test.each([401, 500])('leaves its password out of an answer %i that repeats it', async (status) => {
    const repeating = createServer(({ headers: { authorization = '' } }, response) => {
      const [, sent = ''] = authorization.split(' ')
      const login = Buffer.from(sent, 'base64').toString()
      response.writeHead(status).end(JSON.stringify({ error: `no access for ${login}, who sent ${authorization}` }))
    })
    await new Promise<void>((resolve) => {
      repeating.listen(0, '127.0.0.1', resolve)
    })
    onTestFinished(() => void repeating.close())
    const passwordFile = join(await mkdtemp(join(tmpdir(), 'millrace-druid-')), 'password')
    await writeFile(passwordFile, 'canary-5e1f\n')
    const { port } = repeating.address() as AddressInfo
    const client = new HttpDruidClient({ routerUrl: `http://127.0.0.1:${port}`, username: 'mill', passwordFile })
    const error = await client.supervisor('clicks').then(undefined, describeWithCauses)
    expect(error).toContain('no access for mill:…')
    expect(error).not.toContain('canary')
    expect(error).not.toContain(Buffer.from('mill:canary-5e1f').toString('base64'))
  })

  test('gives a refusal in the words of Druid', async () => {
    const bad = desiredSupervisor(sampleDatasource({ metrics: [{ type: 'nonsense', name: 'x' }] })).spec
    await expect(new HttpDruidClient({ routerUrl }).applySupervisor(bad)).rejects.toThrow(/Could not resolve type id/)
  })

  test('has the sampler read from the start of the topic, and repeats no secret of the specification', async () => {
    const properties = {
      'sasl.jaas.config': 'org.apache.kafka.PlainLoginModule required username="shop" password="hunter22";',
      'ssl.key.password': 'opensesame',
    }
    const { kafka } = sampleDatasource().spec
    const spec = desiredSupervisor(
      sampleDatasource({ kafka: { brokers: '', topic: '', ...kafka, consumerProperties: properties } }),
    ).spec
    const client = new HttpDruidClient({ routerUrl })
    druid.sampler = {
      status: 200,
      text: JSON.stringify({
        data: [{ unparseable: true, error: 'no opensesame' }, { parsed: {} }, { unparseable: true }],
      }),
    }
    expect(await client.sample(spec)).toEqual({ rows: 3, unreadable: 2, firstError: 'no …' })
    expect(druid.calls.at(-1)).toMatchObject({ method: 'POST', path: '/druid/indexer/v1/sampler' })
    druid.sampler = { status: 400, text: '{"error":"bad control flag hunter22 in JAAS config"}' }
    await expect(client.sample(spec)).rejects.toMatchObject({
      code: 'DRUID_REJECTED',
      message: 'bad control flag … in JAAS config',
    })
    for (const text of ['', '[]', '{"data":7}', '{"data":[null,[],{"unparseable":"yes"}]}', 'x'.repeat(1000)]) {
      druid.sampler = { status: 200, text }
      expect((await client.sample(spec)).unreadable).toBe(0)
    }
  })

  test('sends the credentials of the endpoint and never shows them', async () => {
    const passwordFile = join(await mkdtemp(join(tmpdir(), 'druid-')), 'password')
    await writeFile(passwordFile, 'hunter2\n')
    const client = new HttpDruidClient({ routerUrl, username: 'millrace', passwordFile })
    await client.supervisor('clicks')
    expect(druid.calls[0]?.authorization).toBe(`Basic ${Buffer.from('millrace:hunter2').toString('base64')}`)
    druid.failure = 401
    const error: unknown = await client.supervisor('clicks').catch((caught: unknown) => caught)
    expect(describeWithCauses(error)).not.toMatch(/hunter2|Basic /)
  })

  test('goes on with the next write after one has failed', async () => {
    const client = new HttpDruidClient({ routerUrl })
    const bad = desiredSupervisor(sampleDatasource({ metrics: [{ type: 'nonsense', name: 'x' }] })).spec
    const results = await Promise.allSettled([client.applySupervisor(bad), client.applySupervisor(spec)])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })

  test.each(['ftp://druid', 'druid:8888', 'http://user:secret@druid:8888'])('refuses the endpoint %s', (url) => {
    expect(() => new HttpDruidClient({ routerUrl: url })).toThrow(/must be an http or https URL/)
  })
})
