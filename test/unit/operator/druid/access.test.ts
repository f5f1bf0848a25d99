import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../../../../embedded/credentials.ts'
import { UNCONTESTED } from '../../../../operator/controller/leadership.ts'
import { configuredDruids } from '../../../../operator/druid/configured-druids.ts'
import type { DruidDatasource, DruidDatasourceSpec } from '../../../../operator/druid/druid-datasource.ts'
import { druidReconciler } from '../../../../operator/druid/reconcile.ts'
import { conditionOf } from '../../../../operator/druid/status.ts'
import { FakeDruid } from '../../../harness/fake-druid.ts'
import { OneObjectKube } from '../../../harness/one-object-kube.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const PASSWORD = 'canary-77aa'
const ref = { namespace: 'shop', name: 'clicks' }
let druid: FakeDruid
let routerUrl: string
let kube: OneObjectKube
let now = Date.parse('2026-11-21T08:00:00Z')
let settle: () => Promise<void>

beforeEach(async () => {
  druid = new FakeDruid()
  routerUrl = await druid.start()
})
afterEach(async () => {
  await druid.stop()
  // whatever the test was about
  expect(JSON.stringify([kube.object, kube.events])).not.toContain('canary')
})

function apply(changes: Partial<DruidDatasourceSpec>, url = routerUrl): void {
  kube = new OneObjectKube(sampleDatasource(changes))
  const reconcile = druidReconciler({
    kube: kube.asKube(() => now),
    events: kube.recorder,
    druids: configuredDruids({ default: { routerUrl: url, username: 'operator' } }),
    leadership: UNCONTESTED,
    clock: { now: () => now, after: () => () => undefined, nextTurn: () => undefined },
  })
  settle = async () => {
    now += 60_000
    while ((await reconcile(ref)).requeueAfterMs === 0);
  }
}

function ready(): string {
  const found = conditionOf((kube.object as DruidDatasource | undefined)?.status, 'Ready')
  return `${found?.reason ?? 'absent'}: ${found?.message ?? ''}`
}

function address(): string {
  return new URL(routerUrl).host
}

const auth = { basic: { secret: 'login' } }

test('a login of a Secret goes to Druid in place of that of the operator, and a rotated one is read again', async () => {
  apply({ auth })
  kube.secrets.set('login', { username: 'shop', password: `${PASSWORD}\n`, 'allowed-hosts': address() })
  await settle()
  const sent = `Basic ${Buffer.from(`shop:${PASSWORD}`).toString('base64')}`
  expect(new Set(druid.calls.map(({ authorization }) => authorization))).toEqual(new Set([sent]))
  expect(ready()).toContain('Running')
  kube.secrets.set('login', { username: 'shop', password: 'canary-new', 'allowed-hosts': address() })
  await settle()
  expect(druid.calls.at(-1)?.authorization).toBe(`Basic ${Buffer.from('shop:canary-new').toString('base64')}`)
})

test('a token of a Secret is sent as such', async () => {
  apply({ auth: { bearer: { secret: 'login', key: 'jwt' } } })
  kube.secrets.set('login', { jwt: PASSWORD, 'allowed-hosts': '127.0.0.1' })
  await settle()
  expect(druid.calls.at(-1)?.authorization).toBe(`Bearer ${PASSWORD}`)
})

test.each<[string, Readonly<Record<string, string>> | 'forbidden' | undefined, RegExp]>([
  ['is not there', undefined, /^SecretMissing: .*no Secret 'login' in namespace 'shop'/],
  ['lacks a key', { username: 'shop', 'allowed-hosts': '127.0.0.1' }, /^SecretMissing: .*no key 'password'/],
  ['may not be read by the operator', 'forbidden', /^SecretForbidden: .*'login'.*druidSecrets/],
  ['does not say where it may go', { username: 'shop', password: PASSWORD }, /^SecretForbidden: .*127\.0\.0\.1:\d+/],
  [
    'may go elsewhere only',
    { username: 'shop', password: PASSWORD, 'allowed-hosts': 'druid.prod' },
    /^SecretForbidden: .*allowed-hosts/,
  ],
  [
    'has a user with a colon',
    { username: 'shop:x', password: PASSWORD, 'allowed-hosts': '127.0.0.1' },
    /^SecretInvalid: .*'username'/,
  ],
  [
    'has a line end within the password',
    { username: 'shop', password: `${PASSWORD}\r\nx-y: z`, 'allowed-hosts': '127.0.0.1' },
    /^SecretInvalid: .*'password'/,
  ],
])(
  'a Secret that %s is named, Druid is not called, and all goes on when it is put right',
  async (_, secret, reason) => {
    apply({ auth })
    if (secret !== undefined) kube.secrets.set('login', secret)
    await settle()
    expect(ready()).toMatch(reason)
    expect(druid.calls).toEqual([])
    kube.secrets.set('login', { username: 'shop', password: PASSWORD, 'allowed-hosts': '127.0.0.1' })
    await settle()
    expect(ready()).toContain('Running')
  },
)

test('a deletion names the Secret that is missing and ends at its deadline', async () => {
  apply({ auth, deletionTimeout: '5m' })
  kube.secrets.set('login', { username: 'shop', password: PASSWORD, 'allowed-hosts': '127.0.0.1' })
  await settle()
  kube.secrets.clear()
  kube.delete(new Date(now).toISOString())
  await settle()
  expect(kube.events.at(-1)).toMatchObject({ reason: 'DeletionWaits' })
  expect(kube.events.at(-1)?.message).toContain("no Secret 'login'")
  now += 300_000
  await settle()
  expect(kube.object).toBeUndefined()
  expect(kube.events.at(-1)?.reason).toBe('DeletedWithLeftovers')
})

test('certificates of Secrets are trusted and shown, and renewed ones after their rotation', async () => {
  const [server, first, second] = await Promise.all(
    ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((host) => makeCertificate(host)),
  )
  if (server === undefined || first === undefined || second === undefined) throw new Error('no certificates')
  const shown: string[] = []
  const logins: (string | undefined)[] = []
  const options = { key: server.key, cert: server.certificate, requestCert: true, rejectUnauthorized: false }
  const proxy = createServer(options, (request, response) => {
    const peer = (request.socket as TLSSocket).getPeerX509Certificate()
    if (peer !== undefined) shown.push(peer.fingerprint256)
    logins.push(request.headers.authorization)
    response.writeHead(503).end()
  })
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => void proxy.close())
  const { port } = proxy.address() as AddressInfo
  apply({ tls: { ca: { secret: 'ca' }, certificate: { secret: 'own' } } }, `https://127.0.0.1:${port}`)
  kube.secrets.set('ca', { 'ca.crt': server.certificate })
  for (const { certificate, key } of [first, second]) {
    kube.secrets.set('own', { 'tls.crt': certificate, 'tls.key': key, 'allowed-hosts': `127.0.0.1:${port}` })
    await settle()
    expect(ready()).toContain('answered 503')
  }
  const wanted = [first, second].map(({ certificate }) => new X509Certificate(certificate).fingerprint256)
  expect([...new Set(shown)]).toEqual(wanted)
  // the login of the operator is not for whom an author's authority vouches for
  expect(new Set(logins)).toEqual(new Set([undefined]))
  kube.secrets.set('ca', { 'ca.crt': first.certificate })
  await settle()
  expect(ready()).toContain('cannot reach Druid')
})

test.each<[string, string, string, RegExp]>([
  ['no certificate', 'https://127.0.0.1:1', PASSWORD, /cannot be used/],
  ['a certificate for a Druid without TLS', 'http://127.0.0.1:1', '', /reached without TLS/],
])('a Secret with %s is refused without being shown', async (_, url, ca, message) => {
  apply({ tls: { ca: { secret: 'ca' } } }, url)
  kube.secrets.set('ca', { 'ca.crt': ca })
  await settle()
  expect(ready()).toMatch(/^SecretInvalid/)
  expect(ready()).toMatch(message)
})
