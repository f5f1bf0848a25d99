import { describe, expect, test } from 'vitest'
import type { Objects } from '../../../../runtime/ports/objects.ts'
import { checkObjectsUrl, secretFilesOf } from '../../../../runtime/ports/objects-url.ts'
import type { ByteAnswer, ByteRequest } from '../../../../runtime/ports/real/byte-http.ts'
import { realFiles } from '../../../../runtime/ports/real/files.ts'
import { objectsEnvironment, openObjects } from '../../../../runtime/ports/real/open-objects.ts'
import { jumpingClock } from '../../../harness/kafka/jumping-clock.ts'

type Answer = (request: ByteRequest) => ByteAnswer | Error

const answer = (status: number, json?: unknown): ByteAnswer => ({
  status,
  headers: {},
  body: json === undefined ? new Uint8Array() : Buffer.from(JSON.stringify(json)),
})
const exception = (name: string, status = 403): ByteAnswer =>
  answer(status, { RemoteException: { exception: name, message: `why ${name}\nat a.b.C` } })
const status = (length: number, fileId = 7): ByteAnswer =>
  answer(200, { FileStatus: { type: 'FILE', length, modificationTime: 5, fileId } })
const location = answer(200, { Location: 'http://datanode:9864/webhdfs/v1/x?op=CREATE' })

/** A storage whose servers give these answers, one after the other, and the URLs that were asked. */
function scripted(answers: readonly Answer[], url = 'hdfs://one:9870,two:9870/root?user=me') {
  const urls: string[] = []
  const tokens = ['first', 'second']
  const objects: Objects = openObjects(url, {
    clock: jumpingClock(),
    rng: { next: () => 0.5, id: () => '0123456789abcdef' },
    files: realFiles,
    secretFiles: { read: () => Promise.resolve(`${tokens.shift()}\n`) },
    env: {},
    send: (request) => {
      const given = answers[urls.length]?.(request) ?? new Error('connect ECONNREFUSED')
      urls.push(request.url)
      return given instanceof Error ? Promise.reject(given) : Promise.resolve(given)
    },
  })
  return { objects, urls }
}

const hostsOf = (urls: readonly string[]): string[] => urls.map((url) => new URL(url).host)

describe('calls to HDFS', () => {
  test('a NameNode that is in standby, or away, is left for the other, which stays the one that is asked', async () => {
    const { objects, urls } = scripted([
      () => exception('StandbyException'),
      () => status(1),
      () => new Error('connect ECONNREFUSED'),
      () => status(2),
      () => status(3),
    ])
    expect((await objects.head('a'))?.sizeBytes).toBe(1)
    expect((await objects.head('a'))?.sizeBytes).toBe(2)
    expect((await objects.head('a'))?.sizeBytes).toBe(3)
    expect(hostsOf(urls)).toEqual(['one:9870', 'two:9870', 'two:9870', 'one:9870', 'one:9870'])
    expect(urls[0]).toBe('http://one:9870/webhdfs/v1/root/a?op=GETFILESTATUS&user.name=me')
  })

  test('throttling and safe mode are waited for, and a refusal is given in the words of HDFS', async () => {
    const { objects } = scripted([
      () => answer(503),
      () => answer(429),
      () => exception('SafeModeException'),
      () => exception('AccessControlException'),
    ])
    await expect(objects.head('a')).rejects.toMatchObject({
      code: 'OBJECTS_REFUSED',
      message:
        'hdfs://one:9870,two:9870/root refused to look at "a": 403 AccessControlException why AccessControlException',
    })
  })

  test('servers that never answer are unavailable, with the last reason', async () => {
    const { objects, urls } = scripted([])
    await expect(objects.head('a')).rejects.toMatchObject({ code: 'OBJECTS_UNAVAILABLE', retriable: true })
    expect(urls).toHaveLength(6)
  })

  test.each([
    ['another protocol', 'ftp://host/webhdfs/v1/x'],
    ['another service', 'http://host/latest/meta-data'],
    ['a password', 'http://user:word@host/webhdfs/v1/x'],
    ['nothing', ''],
  ])('an answer that redirects to %s is not followed', async (_, Location) => {
    const { objects, urls } = scripted([
      () => status(3),
      ...Array.from({ length: 6 }, () => () => answer(200, { Location })),
    ])
    await expect(objects.read('a', 0, 3)).rejects.toMatchObject({ code: 'OBJECTS_UNAVAILABLE' })
    expect(hostsOf(urls).every((host) => ['one:9870', 'two:9870'].includes(host))).toBe(true)
  })

  test('a redirect to an address that a job must not call is refused', async () => {
    const guarded = objectsEnvironment({ files: [], secrets: [], addresses: [] })
    const given = [status(3), answer(200, { Location: 'http://169.254.169.254/webhdfs/v1/x' })]
    const objects = openObjects('hdfs://one:9870/root', {
      ...guarded,
      send: (request) => {
        const next = given.shift()
        return next === undefined ? guarded.send(request) : Promise.resolve(next)
      },
    })
    await expect(objects.read('a', 0, 3)).rejects.toMatchObject({ code: 'HTTP_FORBIDDEN' })
  })

  test('a rename whose answer was lost is found again, and one that another made first is not', async () => {
    const write = [() => exception('FileNotFoundException', 404), () => location, () => answer(201)]
    const lost = () => new Error('read ECONNRESET')
    const gone = () => exception('FileNotFoundException', 404)
    const mine = scripted([...write, lost, gone, gone])
    expect(await mine.objects.createIfAbsent('a', Buffer.from('x'))).toBe('created')
    const theirs = scripted([
      ...write,
      lost,
      () => exception('FileAlreadyExistsException'),
      () => status(1),
      () => answer(200),
    ])
    expect(await theirs.objects.createIfAbsent('a', Buffer.from('x'))).toBe('exists')
  })

  test('an answer to a rename that no NameNode gives is no success', async () => {
    const write = [() => location, () => answer(201)]
    for (const given of [
      answer(200, { boolean: false }),
      { ...answer(200), body: Buffer.from('<html>') },
      answer(307),
    ]) {
      const { objects } = scripted([...write, () => given])
      await expect(objects.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'OBJECTS_REFUSED' })
    }
  })

  test('fewer bytes than the file has are asked for again', async () => {
    const opened = answer(200, { Location: 'http://datanode:9864/webhdfs/v1/x?op=OPEN' })
    const short = { ...answer(200), body: Buffer.from('he') }
    const whole = { ...answer(200), body: Buffer.from('hello') }
    const { objects } = scripted([() => status(5), () => opened, () => short, () => opened, () => whole])
    expect(Buffer.from(await objects.read('a', 0, 9)).toString()).toBe('hello')
  })

  test('a listing is read batch by batch, and one that does not go on is an error', async () => {
    const batch = (names: readonly string[], remainingEntries: number) => () =>
      answer(200, {
        DirectoryListing: {
          partialListing: {
            FileStatuses: {
              FileStatus: names.map((pathSuffix) => ({ pathSuffix, type: 'FILE', length: 1, modificationTime: 5 })),
            },
          },
          remainingEntries,
        },
      })
    const { objects, urls } = scripted([batch(['a', 'b'], 1), batch(['c'], 0), batch(['a'], 1), batch(['a'], 1)])
    const listed: string[] = []
    for await (const { path } of objects.list('in/')) listed.push(path)
    expect(listed).toEqual(['in/a', 'in/b', 'in/c'])
    expect(urls.map((url) => new URL(url).searchParams.get('startafter'))).toEqual([null, 'b'])
    const listing = objects.list('in/')[Symbol.asyncIterator]().next()
    await expect(listing).rejects.toMatchObject({ code: 'OBJECTS_UNAVAILABLE' })
  })

  test('a delegation token is read from its file, again when it is refused, and is in no message', async () => {
    const { objects, urls } = scripted(
      [() => exception('InvalidToken'), () => exception('InvalidToken'), () => status(1)],
      'hdfs://one:9870/root?delegationTokenFile=/token',
    )
    const failed: unknown = await objects.head('a').then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(urls.map((url) => new URL(url).searchParams.get('delegation'))).toEqual(['first', 'second'])
    expect(String(failed)).toContain('InvalidToken')
    expect(String(failed)).not.toContain('second')
  })
})

test.each([
  ['hdfs:///folder', 'it is not hdfs://namenode:9870/folder'],
  ['hdfs://one:99999/folder', 'it is not hdfs://namenode:9870/folder'],
  ['hdfs://user@one:9870/folder', 'it is not hdfs://namenode:9870/folder'],
  ['hdfs://one:9870/a:b', 'a colon'],
  ['hdfs://one:9870/a/%2e%2e/b', 'has . or ..'],
  ['hdfs://one:9870/a?usr=me', 'option "usr" is unknown'],
  ['hdfs://one:9870/a?protocol=ftp', 'it is http or https'],
])('the URL %s is refused: %s', (url, reason) => {
  expect(() => checkObjectsUrl(url)).toThrow(reason)
})

test('the file of a delegation token is known to the check of what a job may reach', () => {
  expect(secretFilesOf('hdfs://one/a?delegationTokenFile=/secrets/token')).toEqual(['/secrets/token'])
})
