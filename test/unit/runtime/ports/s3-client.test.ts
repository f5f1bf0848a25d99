import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { describeWithCauses } from '../../../../runtime/model/errors.ts'
import type { Objects } from '../../../../runtime/ports/objects.ts'
import type { ByteAnswer, ByteRequest } from '../../../../runtime/ports/real/byte-http.ts'
import { realFiles } from '../../../../runtime/ports/real/files.ts'
import { objectsEnvironment, openObjects } from '../../../../runtime/ports/real/open-objects.ts'
import { signedHeaders } from '../../../../runtime/ports/real/s3-signature.ts'
import { jumpingClock } from '../../../harness/kafka/jumping-clock.ts'

type Answer = (request: ByteRequest) => ByteAnswer | Error

const ok = (headers: Record<string, string> = {}): ByteAnswer => ({ status: 200, headers, body: new Uint8Array() })
const failed = (status: number, code: string, headers: Record<string, string> = {}): ByteAnswer => ({
  status,
  headers,
  body: Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>the &lt;reason&gt;</Message></Error>`),
})

/** A storage whose server gives these answers, one after the other, and the requests it got. */
function scripted(
  answers: readonly Answer[],
  url = 's3://bucket/root?endpoint=http://s3.test',
  env: Record<string, string> = KEYS,
) {
  const clock = jumpingClock()
  const requests: ByteRequest[] = []
  const waits: number[] = []
  const objects: Objects = openObjects(url, {
    clock: {
      ...clock,
      after: (ms, run) => {
        waits.push(ms)
        return clock.after(ms, run)
      },
    },
    rng: { next: () => 0.5, id: () => '0123456789abcdef' },
    files: realFiles,
    secretFiles: { read: () => Promise.reject(new Error('no secrets here')) },
    env,
    send: (request) => {
      const answer = answers[requests.length]?.(request) ?? new Error('connect ECONNREFUSED')
      requests.push(request)
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
    },
  })
  return { objects, requests, waits }
}

const KEYS = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret-text' }
const some = Buffer.from('some')

describe('requests to S3', () => {
  test('the signature is that of the example in the documentation of AWS', () => {
    const headers = signedHeaders(
      {
        method: 'GET',
        host: 'examplebucket.s3.amazonaws.com',
        path: '/test.txt',
        query: new Map(),
        headers: { range: 'bytes=0-9' },
        body: new Uint8Array(),
        region: 'us-east-1',
        nowMs: Date.UTC(2013, 4, 24),
      },
      { accessKey: 'AKIAIOSFODNN7EXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
    )
    expect(headers['authorization']).toContain(
      'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    )
  })

  test('a throttled request is repeated after the time that the server asks for', async () => {
    const { objects, requests, waits } = scripted([
      () => failed(503, 'SlowDown', { 'retry-after': '7' }),
      () => failed(429, 'TooManyRequests'),
      () => new Error('read ECONNRESET'),
      () => ok(),
    ])
    await objects.put('a', some)
    expect(requests).toHaveLength(4)
    expect(waits[0]).toBe(7000)
    expect(new Set(requests.map(({ url }) => url))).toEqual(new Set(['http://s3.test/bucket/root/a']))
  })

  test('a server that does not answer is unavailable after a few tries, with its words', async () => {
    const { objects, requests } = scripted([])
    const error: unknown = await objects.put('a', some).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'OBJECTS_UNAVAILABLE', domain: 'dependency', retriable: true })
    expect(describeWithCauses(error)).toContain('s3://bucket/root/ at s3.test: connect ECONNREFUSED')
    expect(requests).toHaveLength(5)
  })

  test('a refusal is not repeated, and names the reason without the secret', async () => {
    const { objects, requests } = scripted([() => failed(403, 'AccessDenied')])
    const error: unknown = await objects.put('a', some).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'OBJECTS_REFUSED', domain: 'user' })
    expect(describeWithCauses(error)).toContain('403 AccessDenied: the <reason>')
    expect(JSON.stringify(requests[0]?.headers)).not.toContain('secret-text')
    expect(requests).toHaveLength(1)
  })

  test('an object that was created although the answer was lost counts as created', async () => {
    const claimed = (request: ByteRequest): string => request.headers['x-amz-meta-millrace-claim'] ?? ''
    const lost = scripted([
      () => new Error('socket hang up'),
      () => failed(412, 'PreconditionFailed'),
      () => ok({ 'x-amz-meta-millrace-claim': claimed(lost.requests[0] as ByteRequest) }),
    ])
    expect(await lost.objects.createIfAbsent('a', some)).toBe('created')
    const other = scripted([
      () => new Error('socket hang up'),
      () => failed(412, 'PreconditionFailed'),
      () => ok({ 'x-amz-meta-millrace-claim': 'somebody else' }),
    ])
    expect(await other.objects.createIfAbsent('a', some)).toBe('exists')
    const plain = scripted([() => failed(412, 'PreconditionFailed')])
    expect(await plain.objects.createIfAbsent('a', some)).toBe('exists')
    expect(plain.requests).toHaveLength(1)
  })

  test('a conflict of two writers is tried again until one of them has it', async () => {
    const { objects } = scripted([() => failed(409, 'ConditionalRequestConflict'), () => ok()])
    expect(await objects.createIfAbsent('a', some)).toBe('created')
  })

  const prepared = { path: 'a', sizeBytes: 4, token: '{"id":"u","parts":["\\"e\\""]}' }

  test('a completion that reports its failure under status 200 is repeated', async () => {
    const { objects, requests } = scripted([
      () => ({ ...failed(500, 'InternalError'), status: 200 }),
      () => ok(),
      () => ok({ 'content-length': '4' }),
    ])
    await objects.complete(prepared)
    expect(requests.map(({ method }) => method)).toEqual(['POST', 'POST', 'HEAD'])
  })

  test('a completion that is answered as done, while the object is not there or shorter, is an error', async () => {
    const missing = scripted([() => ok(), () => failed(404, 'NotFound')])
    await expect(missing.objects.complete(prepared)).rejects.toMatchObject({ code: 'OBJECT_LOST' })
    const shorter = scripted([() => ok(), () => ok({ 'content-length': '3' })])
    await expect(shorter.objects.complete(prepared)).rejects.toMatchObject({ code: 'OBJECT_LOST' })
  })

  test('credentials that the server no longer takes are found again, once', async () => {
    const { objects, requests } = scripted([() => failed(400, 'ExpiredToken'), () => ok()])
    await objects.put('a', some)
    expect(requests).toHaveLength(2)
    await expect(
      scripted([() => failed(400, 'ExpiredToken'), () => failed(400, 'ExpiredToken')]).objects.put('a', some),
    ).rejects.toMatchObject({ code: 'OBJECTS_REFUSED' })
  })

  test('credentials of the machine are asked for only when the URL says so, and are kept until they expire', async () => {
    const answer =
      (text: string): Answer =>
      () => ({ status: 200, headers: {}, body: Buffer.from(text) })
    const { objects, requests } = scripted(
      [
        answer('metadata-token'),
        answer('role'),
        answer('{"AccessKeyId":"k","SecretAccessKey":"s","Token":"t","Expiration":"2100-01-01T00:00:00Z"}'),
        () => ok(),
        () => ok(),
      ],
      's3://bucket?credentials=instance&region=eu-west-1',
    )
    await objects.put('a', some)
    await objects.put('a', some)
    expect(requests.map(({ url }) => url)).toEqual([
      'http://169.254.169.254/latest/api/token',
      'http://169.254.169.254/latest/meta-data/iam/security-credentials/',
      'http://169.254.169.254/latest/meta-data/iam/security-credentials/role',
      'https://bucket.s3.eu-west-1.amazonaws.com/a',
      'https://bucket.s3.eu-west-1.amazonaws.com/a',
    ])
    expect(requests[4]?.headers['x-amz-security-token']).toBe('t')
    const without = scripted([], 's3://bucket', { AWS_SHARED_CREDENTIALS_FILE: '/nowhere' })
    await expect(without.objects.put('a', some)).rejects.toMatchObject({ code: 'OBJECTS_CREDENTIALS' })
    expect(without.requests).toEqual([])
  })

  test('the token of a service account stands for a role, and what it brings is renewed before it expires', async () => {
    const token = join(mkdtempSync(join(tmpdir(), 'millrace-token-')), 'token')
    writeFileSync(token, 'service-account-token\n')
    const sts =
      (expires: string): Answer =>
      () => ({
        status: 200,
        headers: {},
        body: Buffer.from(
          `<Credentials><AccessKeyId>k</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t${expires}</SessionToken><Expiration>${expires}-01-01T00:00:00Z</Expiration></Credentials>`,
        ),
      })
    const { objects, requests } = scripted([sts('2000'), sts('2100'), () => ok(), () => ok()], 's3://bucket', {
      AWS_WEB_IDENTITY_TOKEN_FILE: token,
      AWS_ROLE_ARN: 'arn:role',
      AWS_REGION: 'eu-west-1',
    })
    await objects.put('a', some)
    await objects.put('a', some)
    expect(requests.map(({ url }) => new URL(url).host)).toEqual([
      'sts.eu-west-1.amazonaws.com',
      'sts.eu-west-1.amazonaws.com',
      'bucket.s3.eu-west-1.amazonaws.com',
      'bucket.s3.eu-west-1.amazonaws.com',
    ])
    expect(Buffer.from(requests[0]?.body ?? []).toString()).toContain('WebIdentityToken=service-account-token')
    expect(requests[3]?.headers['x-amz-security-token']).toBe('t2100')
  })

  test('a bounded job calls neither the metadata service nor an endpoint of the machine itself', async () => {
    const reach = { files: [], secrets: [], addresses: [] }
    for (const url of ['s3://bucket?credentials=instance', 's3://bucket?endpoint=http://127.0.0.1:1'])
      await expect(
        openObjects(url, { ...objectsEnvironment(reach), env: url.includes('instance') ? {} : KEYS }).head('a'),
      ).rejects.toSatisfy((error) => describeWithCauses(error).includes('may not be called by a job'))
  })

  test.each([
    's3://user:password@bucket/x',
    's3://bucket/x?endpoint=ftp://host',
    's3://bucket/x?regoin=eu',
    's3://bucket/x?credentials=files',
    's3://bucket/x?accessKeyFile=/a',
    's3://bucket/%zz',
    's3:bucket',
  ])('the URL %s is refused', (url) => {
    expect(() => scripted([], url)).toThrow(expect.objectContaining({ code: 'OBJECTS_URL_INVALID' }))
  })

  test('a place in a store keeps its folder behind the options', async () => {
    const { objects, requests } = scripted([() => ok()], 's3://bucket/p?endpoint=http://s3.test#/ns/job/uid')
    await objects.put('a', some)
    expect(requests[0]?.url).toBe('http://s3.test/bucket/p/ns/job/uid/a')
  })
})
