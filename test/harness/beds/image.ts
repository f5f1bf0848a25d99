import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cacheFolder } from './cache-folder.ts'
import { withLock } from './lock.ts'
import { runCommand } from './run-command.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const BASE = 'localhost/millrace-base:1'
// parts of glibc that ldd does not show: loaded by name for user and host lookups, or linked by native addons only
const LOADED_LATER = /^lib(nss_(dns|files)\.so\.2|resolv\.so\.2|rt\.so\.1)$/

export interface BuiltImage {
  /** What a pod writes into `image:`. */
  readonly name: string
  /** The docker archive to import into the node. */
  readonly tar: string
}

export interface ImageOptions {
  readonly name?: string
  /** A filled dist/ folder to use instead of bundling the project. */
  readonly dist?: string
}

/**
 * Builds the project's Dockerfile for real with buildah, on a base made of this machine's own C libraries since
 * registries may be out of reach; the bundles are made first. Takes about 15 s. Needs root and buildah (see
 * `installPrograms`).
 */
export function buildImage(options: ImageOptions = {}): Promise<BuiltImage> {
  const name = options.name ?? 'localhost/millrace:test'
  const storage = cacheFolder('image')
  return withLock('image', storage, async () => {
    const context = mkdtempSync(join(tmpdir(), 'millrace-image-'))
    try {
      const dist = join(context, 'dist')
      if (options.dist === undefined) {
        const bundle = [join(ROOT, 'scripts', 'bundle.ts'), '--out', dist]
        await runCommand(process.execPath, bundle, { bed: 'image', doing: 'bundling' })
      } else {
        await runCommand('cp', ['-r', options.dist, dist], { bed: 'image', doing: 'copying dist' })
      }
      copyFileSync(join(ROOT, 'Dockerfile'), join(context, 'Dockerfile'))
      copyFileSync(join(ROOT, '.dockerignore'), join(context, '.dockerignore'))
      const buildah = (doing: string, ...args: string[]): Promise<string> =>
        runCommand(
          'buildah',
          ['--root', join(storage, 'root'), '--runroot', join(storage, 'run'), '--storage-driver', 'overlay', ...args],
          { bed: 'image', doing },
        )
      // a build that was killed has left its container, on whose image the last step would fail
      await buildah('removing containers of builds that were killed', 'rm', '--all')
      const base = join(context, 'base')
      writeBase(base)
      await buildah('building the base image', 'bud', '--isolation', 'chroot', '-t', BASE, base)
      await buildah(
        'building the image',
        'bud',
        '--isolation',
        'chroot',
        '--build-arg',
        `BASE=${BASE}`,
        '-t',
        name,
        context,
      )
      const tar = join(storage, 'millrace.tar')
      rmSync(tar, { force: true })
      await buildah('writing the image archive', 'push', name, `docker-archive:${tar}:${name}`)
      await buildah('removing layers without a name', 'rmi', '--prune')
      return { name, tar }
    } finally {
      rmSync(context, { recursive: true, force: true })
    }
  })
}

/**
 * A root file system with the C libraries Node needs, certificates and the non-root user; as small as
 * distroless/cc.
 */
function writeBase(folder: string): void {
  const root = join(folder, 'root')
  const linked = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).match(/\/\S+\.so[.\d]*/g) ?? []
  const libc = linked.find((path) => path.includes('/libc.so'))
  if (libc === undefined) throw new Error(`ldd ${process.execPath} names no libc: ${linked.join(' ')}`)
  const later = readdirSync(dirname(libc))
    .filter((file) => LOADED_LATER.test(file))
    .map((file) => join(dirname(libc), file))
  const certificates = '/etc/ssl/certs/ca-certificates.crt'
  for (const file of [...linked, ...later, ...(existsSync(certificates) ? [certificates] : [])]) {
    mkdirSync(join(root, dirname(file)), { recursive: true })
    copyFileSync(file, join(root, file))
  }
  mkdirSync(join(root, 'tmp'))
  chmodSync(join(root, 'tmp'), 0o1777) // what mkdir is given is cut by the umask
  mkdirSync(join(root, 'etc'), { recursive: true })
  writeFileSync(
    join(root, 'etc', 'passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  )
  writeFileSync(join(root, 'etc', 'group'), 'root:x:0:\nnonroot:x:65532:\n')
  writeFileSync(join(root, 'etc', 'nsswitch.conf'), 'hosts: files dns\n')
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY root/ /\n')
}
