import { MillraceError } from '../runtime/model/errors.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { HttpClient } from '../runtime/ports/http-client.ts'
import type { Logger } from '../runtime/ports/logger.ts'
import type { ModuleExports, ModuleLoader } from '../runtime/ports/modules.ts'
import type { Ports } from '../runtime/ports/ports.ts'
import { secretFiles } from '../runtime/ports/reached-files.ts'
import { VirtualFiles } from '../runtime/ports/virtual/files.ts'
import { VirtualNetwork } from '../runtime/ports/virtual/net.ts'
import { VirtualScratch } from '../runtime/ports/virtual/scratch.ts'
import { VirtualStore, type StoreFault } from '../runtime/ports/virtual/store.ts'
import { VirtualWorld } from '../runtime/ports/virtual/world.ts'

/** What jobs reach besides each other. */
export interface OutsideOfJobs {
  /** What the job's modules export, by name, to a process with this clock. */
  modules?: (clock: Clock) => Readonly<Record<string, ModuleExports>>
  /** What services answer, as seen by a process with this clock; without it no call of a job gets an answer. */
  http?: (clock: Clock) => HttpClient
}

export interface MachineSettings extends OutsideOfJobs {
  seed: number
  /** What the volume holds at first, by path. */
  files: ReadonlyMap<string, string | Uint8Array>
  storeFault: (path: string) => StoreFault
  /** Bytes of each machine's local disk; absent: no end. */
  scratchBytes?: number
}

const NO_HTTP: HttpClient = {
  send: () => Promise.reject(new MillraceError('HTTP_FAILED', 'no service is part of the simulation')),
}

/** What all processes of a simulation share: time, network, volume, checkpoint store, and one log. */
export class SimulatedMachines {
  readonly world: VirtualWorld
  readonly network: VirtualNetwork
  readonly store: VirtualStore
  readonly files: VirtualFiles
  readonly log: string[] = []
  /** What whoever writes to a local disk gets instead of its effect. */
  scratchRefusal: () => Error | undefined = () => undefined

  readonly #settings: MachineSettings

  constructor(settings: MachineSettings) {
    this.#settings = settings
    this.world = new VirtualWorld(settings.seed)
    this.network = new VirtualNetwork(this.world)
    this.store = new VirtualStore(this.world, settings.storeFault)
    this.files = new VirtualFiles(this.world)
    for (const [path, text] of settings.files)
      this.files.contents.set(path, typeof text === 'string' ? Buffer.from(text, 'utf8') : text)
  }

  /** Everything outside of one process. */
  portsOf(owner: string): Ports {
    const scratch = new VirtualScratch(this.#settings.scratchBytes)
    scratch.refusal = () => this.scratchRefusal()
    const files = this.files.filesOf(owner)
    return {
      clock: this.world.clockOf(owner),
      rng: this.world.rngOf(),
      net: this.network.netOf(owner),
      plainNet: this.network.netOf(owner),
      files,
      secretFiles: secretFiles(files, undefined),
      httpClient: this.#settings.http?.(this.world.clockOf(owner)) ?? NO_HTTP,
      modules: this.#modules(owner),
      logger: this.loggerOf(owner),
      openStore: () => this.store.storeOf(owner),
      openObjects: (url) => {
        throw new MillraceError('OBJECTS_UNAVAILABLE', `the simulation has no storage for objects at ${url}`, {
          domain: 'user',
          hint: 'simulate the job with files in place of the table',
        })
      },
      openScratchFile: () => {
        this.note(`scratch file ${owner}`)
        return scratch.open()
      },
      printLine: () => undefined,
    }
  }

  #modules(owner: string): ModuleLoader {
    const loaded = this.#settings.modules?.(this.world.clockOf(owner)) ?? {}
    return {
      load: (name) => {
        const exports = loaded[name]
        return exports === undefined
          ? Promise.reject(new MillraceError('MODULE_UNAVAILABLE', `module ${name} is not part of the simulation`))
          : Promise.resolve(exports)
      },
    }
  }

  loggerOf(owner: string): Logger {
    const write =
      (level: string) =>
      (message: string, fields: object = {}): void => {
        this.note(`${level} ${owner} ${message} ${JSON.stringify(fields)}`)
      }
    const logger: Logger = {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: () => logger,
    }
    return logger
  }

  note(what: string): void {
    this.log.push(`${this.world.now} ${this.world.steps} ${what}`)
  }

  /** The process dies at once: nothing of it runs any more, its connections are reset. */
  end(owner: string): void {
    this.world.kill(owner)
    this.network.kill(owner)
  }

  /** The lines that a file sink has committed to a folder, sorted. */
  committedLines(folder: string): string[] {
    return [...this.files.contents]
      .filter(([path]) => path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).startsWith('.'))
      .flatMap(([, bytes]) =>
        Buffer.from(bytes)
          .toString('utf8')
          .split('\n')
          .filter((line) => line !== ''),
      )
      .sort()
  }
}
