import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { KubeObject } from '../objects.ts'
import { ContainerLog } from './container-log.ts'
import type { ContainerEnvironment, LaunchCommand, RestartBackoff } from './container-runner.ts'
import { ContainerRunner } from './container-runner.ts'
import { environmentOf, expandVariables } from './pod-environment.ts'
import type { References } from './pod-environment.ts'
import type { ContainerSpec } from './pod-model.ts'
import { containersOf, restartPolicyOf } from './pod-model.ts'
import type { PodFacts } from './pod-status.ts'
import { mapPaths, materializeVolumes, pathMappingOf, removeVolumes } from './pod-volumes.ts'
import type { VolumeFolders } from './pod-volumes.ts'

/** A container that is about to start, with everything resolved that Kubernetes would resolve. */
export interface ContainerLaunch {
  pod: KubeObject
  containerName: string
  image: string
  /** `command` and `args` of the container: variables expanded, mount paths replaced by local ones. */
  command: readonly string[]
  args: readonly string[]
  /** The container's own environment, mount paths replaced; added to what `commandFor` returns, where that wins. */
  env: Readonly<Record<string, string>>
  workingDir: string | undefined
  podIp: string
  /** A folder of the pod's own that is removed with it. */
  podDir: string
  /** A path in the container as a path on this machine. */
  mapPath(path: string): string
}

/** What to start in place of the image. Return undefined to refuse the image: the container ends with StartError. */
export type CommandFor = (
  launch: ContainerLaunch,
) => { command: string; args?: readonly string[]; env?: Readonly<Record<string, string>>; cwd?: string } | undefined

export interface PodRunnerOptions {
  podIp: string
  folders: VolumeFolders
  logDir: string
  logMaxBytes: number
  backoff: RestartBackoff
  commandFor: CommandFor
  references: References
  onChange(): void
  onEvent(type: 'Normal' | 'Warning', reason: string, message: string): void
}

/** One pod on this node: volumes, then init containers one after the other, then the containers together. */
export class PodRunner {
  pod: KubeObject
  readonly facts: PodFacts
  readonly #options: PodRunnerOptions
  #isStopping = false
  #running: Promise<void> | undefined

  constructor(pod: KubeObject, options: PodRunnerOptions) {
    this.pod = pod
    this.#options = options
    const restartPolicy = restartPolicyOf(pod)
    const environment: ContainerEnvironment = {
      podIp: options.podIp,
      restartPolicy,
      backoff: options.backoff,
      prepare: (container) => this.#prepare(container),
      openLog: (container, restartCount) =>
        new ContainerLog(join(this.#logDir(container.name), `${restartCount}.log`), options.logMaxBytes),
      onChange: () => options.onChange(),
      onEvent: (...event) => options.onEvent(...event),
    }
    const initEnvironment: ContainerEnvironment = {
      ...environment,
      restartPolicy: restartPolicy === 'Never' ? 'Never' : 'OnFailure',
    }
    this.facts = {
      podIp: options.podIp,
      startTime: new Date(),
      restartPolicy,
      initContainers: containersOf(pod, 'initContainers').map(
        (container) => new ContainerRunner(container, initEnvironment),
      ),
      containers: containersOf(pod, 'containers').map((container) => new ContainerRunner(container, environment)),
    }
  }

  start(): void {
    this.#running ??= this.#run()
  }

  container(name: string): ContainerRunner | undefined {
    return [...this.facts.containers, ...this.facts.initContainers].find((one) => one.spec.name === name)
  }

  /** Stops every container, at the latest after the grace period, and removes the pod's files (not its logs). */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    await Promise.all(
      [...this.facts.containers, ...this.facts.initContainers].map((container) => container.stop(graceMs)),
    )
    await this.#running
    await removeVolumes(this.#options.folders)
  }

  async removeLogs(): Promise<void> {
    await rm(this.#options.logDir, { recursive: true, force: true })
  }

  killNow(): void {
    for (const container of [...this.facts.containers, ...this.facts.initContainers]) container.killNow()
  }

  async #run(): Promise<void> {
    this.#options.onChange()
    for (const container of this.facts.initContainers) {
      await container.run()
      const succeeded = container.state.kind === 'terminated' && container.state.exitCode === 0
      if (this.#isStopping || !succeeded) return
    }
    if (this.#isStopping) return
    await Promise.all(this.facts.containers.map((container) => container.run()))
  }

  #logDir(container: string): string {
    return join(this.#options.logDir, container)
  }

  async #prepare(container: ContainerSpec): Promise<LaunchCommand> {
    const { podIp, references, folders, commandFor } = this.#options
    const env = environmentOf(container, this.pod, podIp, references)
    const volumes = await materializeVolumes(this.pod, folders, podIp, references)
    const mapping = pathMappingOf(container, volumes)
    const resolve = (text: string): string => mapPaths(expandVariables(text, env), mapping)
    const mappedEnv = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, mapPaths(value, mapping)]))
    const workingDir = container.workingDir === undefined ? undefined : mapPaths(container.workingDir, mapping)
    const chosen = commandFor({
      pod: this.pod,
      containerName: container.name,
      image: container.image,
      podIp,
      podDir: folders.pod,
      workingDir,
      command: container.command.map(resolve),
      args: container.args.map(resolve),
      env: mappedEnv,
      mapPath: (path) => mapPaths(path, mapping),
    })
    if (chosen === undefined)
      throw new Error(
        `image ${JSON.stringify(container.image)} cannot be run here: the embedded node runs only Millrace's own image, as processes of this checkout`,
      )
    const terminationLog = join(this.#logDir(container.name), 'termination-log')
    await mkdir(dirname(terminationLog), { recursive: true })
    await writeFile(terminationLog, '')
    return {
      command: chosen.command,
      args: chosen.args ?? [],
      cwd: chosen.cwd ?? workingDir ?? process.cwd(),
      env: {
        ...inheritedEnvironment(),
        HOSTNAME: this.pod.metadata.name,
        ...mappedEnv,
        ...chosen.env,
        MILLRACE_PARENT_FD: '3',
        MILLRACE_TERMINATION_LOG: terminationLog,
      },
      terminationLog,
    }
  }
}

/** As little as possible, so that a job cannot come to depend on the developer's shell. */
function inheritedEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ']
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  )
}
