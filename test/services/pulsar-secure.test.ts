import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeCertificate } from '../../embedded/credentials.ts'
import { type PulsarBed, pulsarBedMissing, startPulsar } from '../harness/beds/pulsar-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { killRun, linesOf, LocalRuns } from '../harness/local-runs.ts'
import { startMillrace, type StartedMillrace } from '../harness/processes.ts'

const why = pulsarBedMissing()
const PATIENCE_MS = 30_000
const LONG_MS = 120_000
/** Several of these pass while the job runs. */
const TOKEN_S = 3
/** 46 of 50 events of Nexmark are bids. */
const EVENTS = 1_000
const BIDS = 920

describe.skipIf(why !== undefined)(
  `a Pulsar that wants TLS and a token${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-pulsar-secure-'))
    const runs = new LocalRuns(dir)
    const [authority, tokenFile] = [join(dir, 'authority.pem'), join(dir, 'token')]
    let pulsar: PulsarBed
    let job: StartedMillrace | undefined

    beforeAll(async () => {
      // Pulsar reads keys of RSA only
      const { key, certificate } = await makeCertificate('127.0.0.1', 'rsa')
      writeFileSync(authority, certificate)
      const secure = { key, certificate, tokenKey: randomBytes(32) }
      pulsar = await startPulsar({ dir: join(dir, 'pulsar'), deduplication: 'on', secure })
    }, PATIENCE_MS)

    afterAll(async () => {
      if (job !== undefined) await killRun(job)
      await pulsar?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    function connection(more: object = {}): object {
      return { serviceUrl: pulsar.secureServiceUrl, tls: { caFile: authority }, auth: { tokenFile }, ...more }
    }

    test(
      'a token that expires again and again is read anew, and every row goes in and out',
      async () => {
        await pulsar.createTopic('rows', 2)
        const out = join(dir, 'out')
        writeFileSync(tokenFile, `${pulsar.token(TOKEN_S)}\n`)
        const renewing = setInterval(() => {
          writeFileSync(tokenFile, `${pulsar.token(TOKEN_S)}\n`)
        }, 500)
        try {
          job = startMillrace(
            'run',
            runs.fileOf([
              { id: 'in', source: { nexmark: { type: 'bid', events: EVENTS, rate: '100/s' } } },
              { id: 'bids', from: 'in', map: { price: 'price' } },
              { id: 'to', from: 'bids', sink: { pulsar: connection({ topic: 'rows' }) } },
              { id: 'back', source: { pulsar: connection({ topic: 'rows' }) }, schema: { price: 'long' } },
              { id: 'out', from: 'back', sink: { file: { path: out } } },
            ]),
          )
          await waitFor('all rows came back', PATIENCE_MS, async () => linesOf(out).length >= BIDS, job.stderr)
          expect(linesOf(out)).toHaveLength(BIDS)
          expect(job.stderr()).not.toContain('attempt 2')
        } finally {
          clearInterval(renewing)
        }
      },
      LONG_MS,
    )

    test.each([
      ['a token that another key signed', () => ({}), 'AuthenticationError'],
      ['no token', () => ({ auth: undefined }), 'AuthenticationError'],
      ['an authority that did not sign the certificate', () => ({ tls: true }), 'self-signed certificate'],
    ])(
      'a job with %s says so, and shows no token',
      async (_what, wrong, words) => {
        const other = pulsar.token(3600).replace(/[^.]*$/, 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')
        writeFileSync(tokenFile, other)
        const run = startMillrace(
          'run',
          runs.fileOf([
            { id: 'in', source: { pulsar: connection({ topic: 'rows', ...wrong() }) }, schema: { n: 'long' } },
            { id: 'out', from: 'in', sink: 'console' },
          ]),
        )
        await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes(words), run.stderr)
        await killRun(run)
        expect(run.stderr()).not.toContain(other)
      },
      LONG_MS,
    )
  },
)
