import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { Dealer, Request } from 'zeromq'
import { KERNEL_KEY, nextAnswer, requestFrames, writeConnection } from '../harness/kernel-client.ts'
import { isAlive } from '../harness/is-alive.ts'
import { until } from '../harness/until.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')
const folder = mkdtempSync(join(tmpdir(), 'millrace-kernel-'))
const started: ChildProcess[] = []

afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill('SIGKILL')
    await until('the process has ended', () => child.exitCode ?? child.signalCode ?? undefined)
  }
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function start(command: string, args: readonly string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder })
  started.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  return { child, output: () => output }
}

async function answered(client: Dealer, id: string): Promise<void> {
  expect((await nextAnswer(client)).id).toBe(id)
}

test('when strangers send garbage, forged and recorded messages, the kernel says so once and serves who has the key', async () => {
  const { file, shell, heartbeat } = await writeConnection(folder)
  const kernel = start(process.execPath, [MAIN, 'kernel', 'start', '--connection-file', file])
  const client = new Dealer({ linger: 0 })
  client.connect(`tcp://127.0.0.1:${shell}`)
  const first = requestFrames('first')
  await client.send(first)
  await answered(client, 'first')

  const stranger = new Dealer({ linger: 0 })
  stranger.connect(`tcp://127.0.0.1:${shell}`)
  for (let count = 0; count < 3; count++) await stranger.send(requestFrames(`forged-${count}`, { key: 'another key' }))
  await stranger.send(first)
  await stranger.send(['', '<IDS|MSG>'])
  await stranger.send(Array.from({ length: 100 }, () => 'x'))
  // what no ZeroMQ sends at all, and a frame beyond the limit, which ends the connection
  const raw = connect(shell, '127.0.0.1')
  raw.on('error', () => undefined).write('GET / HTTP/1.1\r\n\r\n')
  const large = new Dealer({ linger: 0 })
  large.connect(`tcp://127.0.0.1:${shell}`)
  await large.send(Buffer.alloc(8 << 20))

  await until('all that is refused was said', () => kernel.output().split('\n').length > 4 || undefined)
  await client.send(requestFrames('second'))
  await answered(client, 'second')
  const heart = new Request({ linger: 0 })
  heart.connect(`tcp://127.0.0.1:${heartbeat}`)
  await heart.send('ping')
  expect((await heart.receive()).map(String)).toEqual(['ping'])
  for (const socket of [client, stranger, large, heart]) socket.close()
  raw.destroy()
  expect(kernel.output().trim().split('\n').toSorted()).toEqual([
    'millrace kernel: a message was discarded: 1 frames behind the identities, at least 6 are needed; said once',
    'millrace kernel: a message was discarded: a message with this signature was taken already; said once',
    'millrace kernel: a message was discarded: no <IDS|MSG> among the first 17 frames; said once',
    'millrace kernel: a message was discarded: the signature does not fit the key; said once',
  ])
})

test('when the program that started the kernel is killed, the kernel ends', async () => {
  const { file, shell } = await writeConnection(folder)
  const command = `"${process.execPath}" "${MAIN}" kernel start --connection-file "${file}" & echo $!; wait`
  const parent = start('/bin/sh', ['-c', command])
  const pid = await until('the shell has said the pid', () => Number(/^\d+\n/.exec(parent.output())?.[0]) || undefined)
  const client = new Dealer({ linger: 0 })
  client.connect(`tcp://127.0.0.1:${shell}`)
  await client.send(requestFrames('ready'))
  await answered(client, 'ready')
  client.close()
  parent.child.kill('SIGKILL')
  try {
    await until('the kernel has ended', () => (isAlive(pid) ? undefined : true))
  } finally {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  }
})

test('when a port of the connection file is taken, the kernel says which and ends', async () => {
  const { file, shell } = await writeConnection(folder)
  const first = start(process.execPath, [MAIN, 'kernel', 'start', '--connection-file', file])
  const client = new Dealer({ linger: 0 })
  client.connect(`tcp://127.0.0.1:${shell}`)
  await client.send(requestFrames('ready'))
  await answered(client, 'ready')
  client.close()
  const second = start(process.execPath, [MAIN, 'kernel', 'start', '--connection-file', file])
  expect(await until('the second kernel has ended', () => second.child.exitCode ?? undefined)).toBe(1)
  expect(second.output()).toContain(`KERNEL_PORTS_TAKEN the kernel cannot listen at tcp://127.0.0.1:${shell}`)
  expect(second.output()).not.toContain(KERNEL_KEY)
  expect(first.child.exitCode).toBeNull()
})
