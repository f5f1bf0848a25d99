import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { stringify } from 'yaml'
import { makeCertificate } from '../../embedded/credentials.ts'
import { kafkaBedMissing, startKafka, type KafkaBed } from '../harness/beds/kafka-bed.ts'
import { committedLines } from '../harness/kafka/committed-lines.ts'
import { startMillrace, type Ended, type StartedMillrace } from '../harness/processes.ts'

const why = await kafkaBedMissing()
const [username, password] = ['mill', 'race-9']
/** Several of these pass while the job runs. */
const SESSION_MS = 2_000
const SESSIONS = 3
const ROWS = 2_000

describe.skipIf(why !== undefined)(
  `a Kafka that wants TLS and a password${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-secure-'))
    const authority = join(dir, 'authority.pem')
    let bed: KafkaBed
    let open: Kafka
    let job: StartedMillrace | undefined

    beforeAll(async () => {
      const { key, certificate } = await makeCertificate('127.0.0.1')
      writeFileSync(authority, certificate)
      writeFileSync(join(dir, 'password'), password)
      bed = await startKafka({
        dir: join(dir, 'kafka'),
        secure: { key, certificate, username, password, sessionMs: SESSION_MS },
      })
      // by the open listener: kafkajs cannot authenticate a second time
      open = new Kafka({ clientId: 'independent', brokers: [bed.bootstrap], logLevel: logLevel.NOTHING })
      const admin = open.admin()
      await admin.connect()
      await admin.createTopics({
        topics: [
          { topic: 'in', numPartitions: 2 },
          { topic: 'out', numPartitions: 2 },
        ],
        waitForLeaders: true,
      })
      // a leader that is told of may not know it yet
      await vi.waitFor(() => admin.fetchTopicOffsets('out'), { timeout: 10_000 })
      await admin.disconnect()
    })
    afterAll(async () => {
      job?.process.kill('SIGKILL')
      await bed?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    const byPassword = (passwordFile: string): object => ({ mechanism: 'plain', username, passwordFile })
    const connection = (sasl: object): object => ({ brokers: bed.secureBootstrap, tls: { caFile: authority }, sasl })

    function jobFile(name: string, sasl: object, { from = 'in', to = 'out' } = {}): string {
      const path = join(dir, `${name}.yaml`)
      writeFileSync(
        path,
        stringify({
          apiVersion: 'millrace.dev/v1alpha1',
          kind: 'StreamJob',
          metadata: { name },
          spec: {
            checkpoints: { interval: '300ms' },
            graph: [
              {
                id: 'read',
                source: { kafka: { ...connection(sasl), topic: from } },
                schema: { n: 'long', name: 'string' },
              },
              { id: 'twice', from: 'read', map: { n: 'n * 2', name: 'name' } },
              {
                id: 'write',
                from: 'twice',
                sink: { kafka: { ...connection(sasl), topic: to, transactionTimeout: '1m' } },
              },
            ],
          },
        }),
      )
      return path
    }

    async function produce(from: number): Promise<void> {
      const producer = open.producer()
      await producer.connect()
      await producer.send({
        topic: 'in',
        messages: Array.from({ length: ROWS }, (_, i) => ({
          key: String(i),
          value: JSON.stringify({ n: from + i, name: `row ${from + i}` }),
        })),
      })
      await producer.disconnect()
    }

    async function committedEnds(): Promise<number> {
      const admin = open.admin()
      await admin.connect()
      const ends = await admin.fetchTopicOffsets('out')
      await admin.disconnect()
      return ends.reduce((sum, { high }) => sum + Number(high), 0)
    }

    test('when sessions end while a job runs, it authenticates again, and every row is written once', async () => {
      job = startMillrace('run', jobFile('secure', byPassword(join(dir, 'password'))))
      for (let session = 0; session < SESSIONS; session++) {
        const before = await committedEnds()
        const sessionEnd = Date.now() + SESSION_MS
        await produce(session * ROWS)
        await expect
          .poll(async () => (await committedEnds()) - before >= ROWS && Date.now() > sessionEnd, {
            timeout: 60_000,
            interval: 200,
          })
          .toBe(true)
      }
      job.process.kill('SIGINT')
      const { code, stdout, stderr } = await job.ended
      expect({ code, trouble: /KAFKA_\w+|recovering/.exec(stdout + stderr)?.[0] }).toEqual({
        code: 130,
        trouble: undefined,
      })
      const rows = (await committedLines(open, bed.bootstrap, 'out'))
        .map((line) => JSON.parse(line) as { n: number; name: string })
        .sort((a, b) => a.n - b.n)
      expect(rows).toEqual(Array.from({ length: SESSIONS * ROWS }, (_, i) => ({ n: i * 2, name: `row ${i}` })))
    })

    /** A token that is not signed, of a user and with an end. */
    function tokenOf(user: string, lifeS: number): string {
      const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64url')
      const now = Math.floor(Date.now() / 1000)
      return `${part({ alg: 'none' })}.${part({ sub: user, iat: now - 60, exp: now + lifeS })}.`
    }

    test('with a bearer token that is renewed on the way, sessions end and begin again, and every row is written once', async () => {
      const file = join(dir, 'token')
      writeFileSync(file, tokenOf(username, 3_600))
      const login = { mechanism: 'oauthbearer', tokenFile: file }
      const before = await committedEnds()
      job = startMillrace('run', jobFile('bearer', login))
      for (let session = 1; session <= SESSIONS; session++) {
        const sessionEnd = Date.now() + SESSION_MS
        await produce(session * 1_000_000)
        writeFileSync(file, tokenOf(username, 3_600 + session))
        await expect
          .poll(async () => (await committedEnds()) - before >= session * ROWS && Date.now() > sessionEnd, {
            timeout: 60_000,
            interval: 200,
          })
          .toBe(true)
      }
      job.process.kill('SIGINT')
      const { code, stdout, stderr } = await job.ended
      expect({ code, trouble: /KAFKA_\w+|recovering/.exec(stdout + stderr)?.[0] }).toEqual({
        code: 130,
        trouble: undefined,
      })
      const found = (await committedLines(open, bed.bootstrap, 'out'))
        .map((line) => (JSON.parse(line) as { n: number }).n / 2)
        .filter((n) => n >= 1_000_000)
        .sort((a, b) => a - b)
      const sent = Array.from({ length: SESSIONS }, (_, session) =>
        Array.from({ length: ROWS }, (_row, i) => (session + 1) * 1_000_000 + i),
      )
      expect(found).toEqual(sent.flat())
    })

    test('with a token that has expired, the job says so and not what it is', async () => {
      const file = join(dir, 'expired')
      const token = tokenOf(username, -30)
      writeFileSync(file, token)
      const { code, stdout, stderr } = await failedRun(
        jobFile('expired', { mechanism: 'oauthbearer', tokenFile: file }),
      )
      expect(stderr).toMatch(/^millrace: KAFKA_AUTHENTICATION.*did not accept the token by SASL OAUTHBEARER/m)
      expect(stderr).toContain('sasl.tokenFile')
      expect(code).toBe(1)
      expect(stdout + stderr).not.toContain(token)
    }, 120_000)

    async function failedRun(file: string): Promise<Ended> {
      job = startMillrace('run', file)
      return job.ended
    }

    test('when the password is wrong, the job says so and not what it is, and ends after ten attempts', async () => {
      writeFileSync(join(dir, 'wrong'), 'hunter2')
      const { code, stdout, stderr } = await failedRun(jobFile('refused', byPassword(join(dir, 'wrong'))))
      expect(stderr).toMatch(/refused: (?:deploying|recovering).*KAFKA_AUTHENTICATION: .*Invalid username or password/)
      expect(stderr).toMatch(
        /^millrace: KAFKA_AUTHENTICATION.*did not accept user "mill" by SASL PLAIN: .*Invalid username or password/m,
      )
      expect(stderr).toContain('sasl.passwordFile')
      expect(code).toBe(1)
      expect(stdout + stderr).not.toContain('hunter2')
    }, 120_000)

    async function permitOnly(topic: string, operation: AclOperationTypes, user: string): Promise<void> {
      const admin = open.admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
      await admin.createAcls({
        acl: [
          {
            resourceType: AclResourceTypes.TOPIC,
            resourceName: topic,
            resourcePatternType: ResourcePatternTypes.LITERAL,
            principal: `User:${user}`,
            host: '*',
            operation,
            permissionType: AclPermissionTypes.ALLOW,
          },
        ],
      })
      await admin.disconnect()
    }

    test.each([
      [
        'the topic of its source is not to be seen',
        'in-hidden',
        AclOperationTypes.READ,
        'another',
        { from: 'in-hidden' },
      ],
      [
        'the topic of its source may be seen and not read',
        'in-closed',
        AclOperationTypes.WRITE,
        username,
        { from: 'in-closed' },
      ],
      [
        'the topic of its sink is not to be seen',
        'out-hidden',
        AclOperationTypes.WRITE,
        'another',
        { to: 'out-hidden' },
      ],
      [
        'the topic of its sink may be seen and not written',
        'out-closed',
        AclOperationTypes.READ,
        username,
        { to: 'out-closed' },
      ],
    ] as const)(
      'when %s, the job ends and names topic and permission',
      async (_, topic, operation, user, topics) => {
        await permitOnly(topic, operation, user)
        const { code, stderr } = await failedRun(jobFile(`no-${topic}`, byPassword(join(dir, 'password')), topics))
        expect(stderr).toMatch(new RegExp(`KAFKA_NOT_AUTHORIZED.*${topic}`))
        expect(code).toBe(1)
      },
      60_000,
    )
  },
)
