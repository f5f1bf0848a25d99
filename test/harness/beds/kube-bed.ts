import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, hashOfFiles, listingOf } from './cache-folder.ts'
import { acquireLock, withLock } from './lock.ts'
import { writePauseImage } from './pause-image.ts'
import { formatDuration, say } from './progress.ts'
import { findProgram, runCommand } from './run-command.ts'
import { installPrograms, programsMissing } from './system-packages.ts'
import { watch } from './tied-process.ts'

const SOURCES = join(import.meta.dirname, 'kube')
const GO_FILES = ['go.mod', 'go.sum', 'hyperkube/main.go', 'coredns/main.go', 'pause/main.go', 'netpol/main.go']
const GO_NEEDED = [1, 26] as const
const COMPONENTS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
]
/** The bridge of the pod network: node IP, API server, and where pods reach services of this machine. */
const GATEWAY = '10.244.0.1'
const PROGRAMS = {
  runc: 'runc',
  nft: 'nftables',
  ip: 'iproute2',
  iptables: 'iptables',
  openssl: 'openssl',
  curl: 'curl',
  buildah: 'buildah',
}

export interface KubeNode {
  /** The administrator's. */
  readonly kubeconfig: string
  readonly bin: { readonly kubectl: string; readonly helm: string; readonly ctr: string }
  /** The address under which pods reach what this machine serves to them (give it to `startKafka` as `podAddress`). */
  readonly gateway: string
  /** Loads an image archive (docker or OCI) so that pods with `imagePullPolicy: IfNotPresent` find it. */
  importImage(tar: string): Promise<void>
  /** Ends everything and removes pods, mounts, bridge and rules; the images stay for the next start. */
  stop(): Promise<void>
}

/** Why a real Kubernetes node can not run here, or undefined. */
export function kubeBedMissing(): string | undefined {
  if (process.platform !== 'linux') return 'a Kubernetes node needs Linux'
  if (process.getuid?.() !== 0) return 'a Kubernetes node needs root'
  const power = powersMissing()
  if (power !== undefined) return power
  const go = findProgram('go')
  const needed = GO_NEEDED.join('.')
  if (go === undefined) return `no go on the PATH (Go ${needed} or newer builds Kubernetes)`
  const version = execFileSync(go, ['env', 'GOVERSION'], { encoding: 'utf8' }).trim()
  const [, major = '0', minor = '0'] = /^go(\d+)\.(\d+)/.exec(version) ?? []
  if (Number(major) < GO_NEEDED[0] || (Number(major) === GO_NEEDED[0] && Number(minor) < GO_NEEDED[1])) {
    return `Go ${needed} or newer builds Kubernetes, and this is ${version}`
  }
  return programsMissing(PROGRAMS)
}

/** Root in an ordinary container is not enough: pods need mounts, a bridge and control groups. */
function powersMissing(): string | undefined {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`)
  for (const [name, bit] of [
    ['CAP_SYS_ADMIN', 21n],
    ['CAP_NET_ADMIN', 12n],
  ] as const) {
    if (((effective >> bit) & 1n) === 0n) return `a Kubernetes node needs ${name}, which this container does not have`
  }
  try {
    accessSync('/sys/fs/cgroup', constants.W_OK)
    return undefined
  } catch (error) {
    return `a Kubernetes node makes control groups: ${error instanceof Error ? error.message : String(error)}`
  }
}

/**
 * Builds Kubernetes 1.36.3, etcd, containerd, CoreDNS, kube-network-policies, metrics-server and helm from their Go modules into the cache
 * folder, keyed by go.mod, go.sum and our sources; gives the folder of the programs. The first build takes 5 to 15
 * min at the lowest priority and 2.5 GB of modules; Go's own cache makes later ones short. Installs missing Debian
 * packages, saying so.
 */
export async function buildKube(): Promise<string> {
  const key = hashOfFiles(
    SOURCES,
    GO_FILES.map((file) => join(SOURCES, file)),
  )
  const bin = cacheFolder('kube', key)
  await withLock('kube', bin, async () => {
    await installPrograms('kube', PROGRAMS)
    if (isComplete(bin)) return
    const started = Date.now()
    say('kube', `building Kubernetes and its companions from Go modules into ${bin} (5 to 15 min the first time)`)
    rmSync(join(bin, 'complete'), { force: true })
    await buildAll(bin)
    for (const name of COMPONENTS) linkTo(bin, name)
    writePauseImage(join(bin, 'pause'), join(bin, 'pause.tar'))
    writeFileSync(join(bin, 'complete'), fingerprint(bin))
    say('kube', `built in ${formatDuration(Date.now() - started)}`)
  })
  return bin
}

/**
 * Starts one real node (API server, controller manager, scheduler, kubelet, containerd, DNS, metrics) with an empty
 * cluster in 7 to 15 s. One at a time on a machine: a second caller waits. It ends with this process at the latest.
 */
export async function startKubeNode(): Promise<KubeNode> {
  const bin = await buildKube()
  const lock = await acquireLock('kube', 'kube-node')
  const state = cacheFolder('kube', 'state')
  const env = {
    ...process.env,
    KUBE_BED_BIN: bin,
    KUBE_BED_STATE: state,
    PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
  }
  const down = join(SOURCES, 'down.sh')
  await runCommand(down, [], { bed: 'kube', doing: 'removing what an earlier run left', env })
  const watcher = watch(`PATH="$PATH:/usr/sbin:/sbin" KUBE_BED_BIN='${bin}' KUBE_BED_STATE='${state}' '${down}'`)
  const stop = async (): Promise<void> => {
    await runCommand(down, [], { bed: 'kube', doing: 'stopping the node', env })
    watcher.dismiss()
    await lock.release()
  }
  try {
    await runCommand(join(SOURCES, 'up.sh'), [], { bed: 'kube', doing: 'starting the node', env })
  } catch (error) {
    await stop()
    throw error
  }
  const ctr = join(bin, 'ctr')
  return {
    kubeconfig: join(state, 'admin.kubeconfig'),
    bin: { kubectl: join(bin, 'kubectl'), helm: join(bin, 'helm'), ctr },
    gateway: GATEWAY,
    async importImage(tar) {
      const args = ['-a', join(state, 'containerd.sock'), '-n', 'k8s.io', 'images', 'import', '--local', tar]
      await runCommand(ctr, args, { bed: 'kube', doing: `importing ${tar}` })
    },
    stop,
  }
}

async function buildAll(bin: string): Promise<void> {
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=readonly', GOTOOLCHAIN: 'local' }
  const go = findProgram('go') ?? 'go'
  const version = async (module: string): Promise<string> =>
    (
      await runCommand(go, ['list', '-m', '-f', '{{.Version}}', module], {
        bed: 'kube',
        doing: `version of ${module}`,
        cwd: SOURCES,
        env,
      })
    ).trim()
  const stamp = (name: string, value: string): string => `-X ${name}=${value}`
  const kube = await version('k8s.io/kubernetes')
  const [major = '', minor = ''] = kube.slice(1).split('.')
  const kubeStamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((name) => [
    stamp(`${name}.gitVersion`, kube),
    stamp(`${name}.gitMajor`, major),
    stamp(`${name}.gitMinor`, minor),
    stamp(`${name}.gitTreeState`, 'clean'),
    stamp(`${name}.buildDate`, '1970-01-01T00:00:00Z'),
  ])
  const containerd = 'github.com/containerd/containerd/v2'
  const containerdStamp = [stamp(`${containerd}/version.Version`, await version(containerd))]
  const cni = 'github.com/containernetworking/plugins/plugins'
  const programs: readonly (readonly [string, string, readonly string[]])[] = [
    ['hyperkube', './hyperkube', kubeStamps],
    ['containerd', `${containerd}/cmd/containerd`, containerdStamp],
    ['containerd-shim-runc-v2', `${containerd}/cmd/containerd-shim-runc-v2`, containerdStamp],
    ['ctr', `${containerd}/cmd/ctr`, []],
    ['crictl', 'sigs.k8s.io/cri-tools/cmd/crictl', []],
    ['coredns', './coredns', []],
    ['metrics-server', 'sigs.k8s.io/metrics-server/cmd/metrics-server', []],
    [
      'helm',
      'helm.sh/helm/v4/cmd/helm',
      [stamp('helm.sh/helm/v4/internal/version.version', await version('helm.sh/helm/v4'))],
    ],
    ['bridge', `${cni}/main/bridge`, []],
    ['loopback', `${cni}/main/loopback`, []],
    ['host-local', `${cni}/ipam/host-local`, []],
    ['pause', './pause', []],
    ['netpol', './netpol', []],
  ]
  for (const [index, [name, path, stamps]] of programs.entries()) {
    const started = Date.now()
    const args = [
      'build',
      '-v',
      '-trimpath',
      '-ldflags',
      ['-s', '-w', ...stamps].join(' '),
      '-o',
      join(bin, name),
      path,
    ]
    await runCommand(go, args, {
      bed: 'kube',
      doing: `building ${name} (${index + 1} of ${programs.length})`,
      cwd: SOURCES,
      env,
      nice: 19,
    })
    say('kube', `${name}: built in ${formatDuration(Date.now() - started)} (${index + 1} of ${programs.length})`)
  }
}

function linkTo(bin: string, name: string): void {
  rmSync(join(bin, name), { force: true })
  symlinkSync('hyperkube', join(bin, name))
}

function isComplete(bin: string): boolean {
  const marker = join(bin, 'complete')
  return existsSync(marker) && readFileSync(marker, 'utf8') === fingerprint(bin)
}

const fingerprint = (bin: string): string =>
  listingOf(bin)
    .split('\n')
    .filter((line) => !line.endsWith(' complete'))
    .join('\n')
