import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Certificate, makeCertificate } from '../../embedded/credentials.ts'
import { type NatsBed, natsBedMissing, startNats } from '../harness/beds/nats-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { killRun, linesOf, LocalRuns } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const why = natsBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 120_000
const RIGHTS = [
  'STREAM.INFO.S',
  'CONSUMER.CREATE.S.>',
  'CONSUMER.MSG.NEXT.S.>',
  'CONSUMER.DELETE.S.>',
  'STREAM.MSG.GET.S',
]

describe.skipIf(why !== undefined)(
  `a NATS that wants TLS, certificates and logins${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-nats-secure-'))
    const runs = new LocalRuns(dir)
    let nats: NatsBed
    let certificate: Certificate

    const file = (name: string, text: string): string => {
      const path = join(dir, name)
      writeFileSync(path, text, { mode: 0o600 })
      return path
    }

    function configuration(authorization: object): string {
      const [key, cert] = [join(dir, 'key.pem'), join(dir, 'authority.pem')]
      return `${JSON.stringify({ tls: { cert_file: cert, key_file: key, ca_file: cert, verify: true } }).slice(1, -1)}
${JSON.stringify({ authorization }).slice(1, -1)}`
    }

    function withUsers(): string {
      return configuration({
        users: [
          { user: 'admin', password: 'all' },
          {
            user: 'job',
            password: 'wörd',
            permissions: { publish: [...RIGHTS.map((right) => `$JS.API.${right}`), 's.>'], subscribe: '_INBOX.>' },
          },
          { user: 'stranger', password: 'none', permissions: { publish: 'x', subscribe: '_INBOX.>' } },
        ],
      })
    }

    beforeAll(async () => {
      certificate = await makeCertificate('127.0.0.1')
      const other = await makeCertificate('127.0.0.1')
      file('authority.pem', certificate.certificate)
      file('key.pem', certificate.key)
      file('other.pem', other.certificate)
      for (const [name, text] of [
        ['job', 'wörd\n'],
        ['stranger', 'none'],
        ['wrong', 'guessed'],
        ['token', 's3cret'],
      ] as const)
        file(name, text)
      nats = await startNats({ dir: join(dir, 'nats'), configuration: withUsers() })
    }, LONG_MS)

    afterAll(async () => {
      await nats?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    function reaching(more: object): object {
      const tls = {
        caFile: join(dir, 'authority.pem'),
        certificateFile: join(dir, 'authority.pem'),
        keyFile: join(dir, 'key.pem'),
      }
      return { servers: nats.address, stream: 'S', tls, ...more }
    }

    const login = (username: string, password = username): object => ({
      auth: { username, passwordFile: join(dir, password) },
    })
    const writing = (options: object): readonly object[] => [
      { id: 'rows', source: { values: [{ n: 1 }, { n: 2 }] }, schema: { n: 'long' } },
      { id: 'out', from: 'rows', sink: { nats: { subject: 's.a', ...options } } },
    ]
    const reading = (options: object, out: string): readonly object[] => [
      { id: 'in', source: { nats: { bounded: true, ...options } }, schema: { n: 'long' } },
      { id: 'out', from: 'in', sink: { file: { path: out } } },
    ]

    test(
      'rows are published and read over TLS by a user with the rights that the page names, and by a token',
      async () => {
        await createStream()
        const once = { delivery: 'effectivelyOnce', files: join(dir, 'waiting') }
        const written = await runs.run(writing(reaching({ ...login('job'), ...once })))
        expect(written.code, written.stderr).toBe(0)
        await nats.stop()
        await nats.start(configuration({ token: 's3cret' }))
        const out = join(dir, 'out')
        const read = await runs.run(reading(reaching({ auth: { tokenFile: join(dir, 'token') } }), out))
        expect(read.code, read.stderr).toBe(0)
        expect(linesOf(out)).toEqual(['{"n":1}', '{"n":2}'])
        await nats.stop()
        await nats.start(withUsers())
        const byJob = await runs.run(reading(reaching({ ...login('job'), subjects: 's.a' }), join(dir, 'out-job')))
        expect(byJob.code, byJob.stderr).toBe(0)
        expect(linesOf(join(dir, 'out-job'))).toEqual(['{"n":1}', '{"n":2}'])
      },
      LONG_MS,
    )

    test.each([
      ['a wrong password', () => login('job', 'wrong'), 'Authorization Violation'],
      [
        'a user without rights',
        () => login('stranger'),
        'Permissions Violation for Publish to "$JS.API.STREAM.INFO.S"',
      ],
      ['no login', () => ({}), 'Authorization Violation'],
      [
        'another authority',
        () => ({ ...login('job'), tls: { caFile: join(dir, 'other.pem') } }),
        'self-signed certificate',
      ],
      [
        'no certificate of its own',
        () => ({ ...login('job'), tls: { caFile: join(dir, 'authority.pem') } }),
        // the server closes the connection before its alert is read, or behind it
        'cannot be reached',
      ],
    ])(
      'a source and a sink with %s say so in the words of the server, within 15 s',
      async (_what, wrong, words) => {
        for (const graph of [writing(reaching(wrong())), reading(reaching(wrong()), join(dir, 'none'))]) {
          const run = startMillrace('run', runs.fileOf(graph))
          const startedAt = Date.now()
          await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes(words), run.stderr)
          expect(Date.now() - startedAt).toBeLessThan(15_000)
          await killRun(run)
        }
      },
      LONG_MS,
    )

    test(
      'a job whose password is corrected goes on by itself',
      async () => {
        const password = file('later', 'guessed')
        const run = startMillrace('run', runs.fileOf(writing(reaching(login('job', 'later')))))
        await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes('NATS_LOGIN_REFUSED'), run.stderr)
        writeFileSync(password, 'wörd')
        const { code, stderr } = await run.ended
        expect(code, stderr).toBe(0)
      },
      LONG_MS,
    )

    /** As an administrator does; the job's user may not. */
    async function createStream(): Promise<void> {
      const { key, certificate: cert } = certificate
      const connection = await connect({
        servers: nats.address,
        user: 'admin',
        pass: 'all',
        tls: { ca: cert, cert, key },
      })
      const answer = await connection.request(
        '$JS.API.STREAM.CREATE.S',
        JSON.stringify({ name: 'S', subjects: ['s.>'] }),
      )
      expect(answer.json()).toMatchObject({ config: { name: 'S' } })
      await connection.close()
    }
  },
)
