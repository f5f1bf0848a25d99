import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
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
    const servers: Server[] = []

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
      for (const server of servers) server.close()
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

    /** An authorization server whose tokens are to be renewed after a second. */
    async function tokenServer(clientSecret: string): Promise<{ url: string; given: () => number }> {
      let given = 0
      const server = createServer((request, response) => {
        const login = Buffer.from(request.headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString()
        if (login === `job:${clientSecret}`) {
          given += 1
          response.end(JSON.stringify({ access_token: tokenOf(username, 3_600 + given), expires_in: 1 }))
        } else response.writeHead(401).end('{"error":"invalid_client","error_description":"no such client"}')
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      servers.push(server)
      return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, given: () => given }
    }

    const fromFile = async (): Promise<{ login: object; renew: (round: number) => void }> => {
      const file = join(dir, 'token')
      const renew = (round: number): void => {
        writeFileSync(file, tokenOf(username, 3_600 + round))
      }
      renew(0)
      return { login: { mechanism: 'oauthbearer', tokenFile: file }, renew }
    }
    const fromEndpoint = async (): Promise<{ login: object; renew: (round: number) => void }> => {
      writeFileSync(join(dir, 'client-secret'), 's3cret')
      const { url, given } = await tokenServer('s3cret')
      const tokenEndpoint = { url, clientId: 'job', clientSecretFile: join(dir, 'client-secret'), scope: 'kafka' }
      return {
        login: { mechanism: 'oauthbearer', tokenEndpoint },
        renew: (round) => {
          if (round === SESSIONS) expect(given()).toBeGreaterThan(2)
        },
      }
    }

    test.each([
      ['a file', 1, fromFile],
      ['a token endpoint', 10, fromEndpoint],
    ] as const)(
      'with bearer tokens of %s, sessions end and begin again, and every row is written once',
      async (_from, start, tokens) => {
        const { login, renew } = await tokens()
        const before = await committedEnds()
        job = startMillrace('run', jobFile(`bearer-${start}`, login))
        for (let session = 1; session <= SESSIONS; session++) {
          const sessionEnd = Date.now() + SESSION_MS
          await produce((start + session) * 1_000_000)
          renew(session)
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
          .filter((n) => n >= start * 1_000_000 && n < (start + 5) * 1_000_000)
          .sort((a, b) => a - b)
        const sent = Array.from({ length: SESSIONS }, (_, session) =>
          Array.from({ length: ROWS }, (_row, i) => (start + session + 1) * 1_000_000 + i),
        )
        expect(found).toEqual(sent.flat())
      },
    )

    test('when the token endpoint refuses the client, the job says so in its words and not what the secret is', async () => {
      const { url } = await tokenServer('another')
      writeFileSync(join(dir, 'client-secret'), 's3cret-1')
      const tokenEndpoint = { url, clientId: 'job', clientSecretFile: join(dir, 'client-secret') }
      const told = await firstRefusal(jobFile('unknown', { mechanism: 'oauthbearer', tokenEndpoint }))
      expect(told).toMatch(/KAFKA_TOKEN_REFUSED.*status 401, invalid_client: no such client/)
      expect(told).not.toContain('s3cret-1')
    })

    test('with a token that has expired, the job says so and not what it is', async () => {
      const file = join(dir, 'expired')
      const token = tokenOf(username, -30)
      writeFileSync(file, token)
      const told = await firstRefusal(jobFile('expired', { mechanism: 'oauthbearer', tokenFile: file }))
      expect(told).toMatch(/KAFKA_AUTHENTICATION.*did not accept the token by SASL OAUTHBEARER/)
      expect(told).not.toContain(token)
    })

    /** Runs a job until it tells of a refusal, and gives what it has said by then. */
    async function firstRefusal(file: string): Promise<string> {
      const run = startMillrace('run', file)
      job = run
      await expect.poll(() => run.stderr(), { timeout: 60_000, interval: 200 }).toMatch(/ KAFKA_\w+:/)
      run.process.kill('SIGKILL')
      await run.ended
      return run.stdout() + run.stderr()
    }

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
