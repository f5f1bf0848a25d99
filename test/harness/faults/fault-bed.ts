import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const INSIDE = 'MILLRACE_FAULTS_BED'
const DISK_MB = 64

/**
 * A network and a disk of this process and all below it: what is done to them nobody else feels, and nothing of it
 * stays.
 */
export interface FaultBed {
  /**
   * Drops what goes over the connections and listening ports that this process has now, but for `spared`; what it
   * opens later goes through.
   */
  silence(pid: number, spared: number): void
  /** Lets everything through again. */
  heal(): void
  fillDisk(): void
  freeDisk(): void
  /**
   * Lets each call to the disk of processes that run now take so much longer, until what is returned is called.
   * Absent where no strace may attach.
   */
  slowDisk: ((pids: readonly number[], delayMs: number) => () => Promise<void>) | undefined
}

/** What waits for a disk; not write, which is that of sockets too. */
const DISK_CALLS = 'fsync,fdatasync,rename,link,unlink,pread64'
const MAY_TRACE = isInBed() && spawnSync('strace', tracing(1, ['true']), { stdio: 'ignore' }).status === 0

/** Whether this process is inside; false: network and disk cannot be disturbed here. */
export function isInBed(): boolean {
  return process.env[INSIDE] !== undefined
}

/**
 * Runs this program again, with the same arguments, in namespaces of its own for network, mounts and processes, and
 * resolves with its exit code; with undefined when this machine or this user cannot. Ends with this process.
 */
export function enterBed(): Promise<number | undefined> {
  if (isInBed() || process.platform !== 'linux' || process.getuid?.() !== 0) return Promise.resolve(undefined)
  const setUp = `ip link set lo up && mount -t tmpfs -o size=${DISK_MB}m tmpfs "$0" && iptables -L OUTPUT > /dev/null && exec "$@"`
  const disk = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
  // This holds for processes too: with the first of them all end, also those that are stopped.
  const args = [
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'sh',
    '-c',
    setUp,
    disk,
    process.execPath,
    ...process.argv.slice(1),
  ]
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', args, {
      stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
      env: {
        ...process.env,
        MILLRACE_HEARTBEAT_TIMEOUT_MS: '10000',
        [INSIDE]: tmpdir(),
        TMPDIR: disk,
        MILLRACE_STARTER_FD: '3',
      },
    })
    child.once('error', reject)
    child.once('exit', (code) => {
      rmSync(disk, { recursive: true, force: true })
      resolve(code ?? 1)
    })
  })
}

/** A folder of the machine's own disk, which is never filled. */
export function folderOutsideOfBed(): string {
  return mkdtempSync(join(process.env[INSIDE] ?? tmpdir(), 'millrace-outside-'))
}

export function faultBed(): FaultBed | undefined {
  if (!isInBed()) return undefined
  const ballast = join(tmpdir(), 'ballast')
  return {
    silence: (pid, spared) => {
      for (const port of portsOf(pid)) {
        if (port === spared) continue
        for (const side of ['--sport', '--dport'])
          execFileSync('iptables', ['-A', 'OUTPUT', '-p', 'tcp', side, String(port), '-j', 'DROP'])
      }
    },
    heal: () => {
      execFileSync('iptables', ['-F', 'OUTPUT'])
    },
    fillDisk: () => {
      fill(ballast)
    },
    freeDisk: () => {
      rmSync(ballast, { force: true })
    },
    slowDisk: MAY_TRACE ? slowDisk : undefined,
  }
}

/** strace stops the processes at their calls and lets them go when it is told to end, or dies. */
function slowDisk(pids: readonly number[], delayMs: number): () => Promise<void> {
  const tracer = spawn(
    'strace',
    tracing(
      delayMs,
      pids.flatMap((pid) => ['-p', String(pid)]),
    ),
    { stdio: 'ignore' },
  )
  const ended = new Promise<void>((resolve, reject) => {
    tracer
      .once('exit', () => {
        resolve()
      })
      .once('error', reject)
  })
  return () => {
    tracer.kill('SIGINT')
    return ended
  }
}

function tracing(delayMs: number, whom: readonly string[]): string[] {
  return [
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${DISK_CALLS}`,
    '-e',
    `inject=${DISK_CALLS}:delay_enter=${Math.round(delayMs * 1000)}`,
    ...whom,
  ]
}

function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let bytes = 1024 * 1024; bytes >= 1024; bytes /= 4) writeUntilFull(file, Buffer.alloc(bytes))
  } finally {
    closeSync(file)
  }
}

function writeUntilFull(file: number, bytes: Uint8Array): void {
  try {
    while (writeSync(file, bytes) === bytes.length) continue
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  }
}

/** Local TCP ports of a process, of connections and of listeners; none when it has just ended. */
function portsOf(pid: number): number[] {
  const files = unlessGone(() => readdirSync(`/proc/${pid}/fd`)) ?? []
  const sockets = new Set(
    files.flatMap(
      (fd) => /^socket:\[(\d+)\]$/.exec(unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? '')?.[1] ?? [],
    ),
  )
  const lines = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/self/net/${table}`, 'utf8').trim().split('\n').slice(1),
  )
  return [
    ...new Set(
      lines
        .map((line) => line.trim().split(/\s+/))
        .filter((columns) => sockets.has(columns[9] ?? ''))
        .map((columns) => parseInt(columns[1]?.split(':')[1] ?? '', 16)),
    ),
  ]
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined
    throw error
  }
}
