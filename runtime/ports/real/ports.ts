import type { Reach } from '../../model/reach.ts'
import type { Logger } from '../logger.ts'
import type { Ports } from '../ports.ts'
import { realClock } from './clock.ts'
import { AddressGuard } from './guarded-lookup.ts'
import { guardedNet } from './guarded-net.ts'
import { NodeModules } from './modules.ts'
import type { Net } from '../net.ts'
import { realNet } from './net.ts'
import { realRng } from './rng.ts'
import { openRealScratchFile } from './scratch.ts'
import { openObjects } from './open-objects.ts'
import { openStore, storeEnvironment, type LoadedStores } from './open-store.ts'

/** The real world. Only entry points (bin files of coordinator, worker, cli) and tests call this. */
export function realPorts(parts: {
  logger: Logger
  printLine: (line: string, sink: string) => void
  /** Those of `builtin-stores.ts`. */
  stores: LoadedStores
  modulesFolder?: string | undefined
  /** Connections between the processes of the job; plain TCP when absent. */
  net?: Net
  /** Absent: no bound. */
  reach?: Reach | undefined
}): Ports {
  const { reach } = parts
  const storages = storeEnvironment(reach)
  const guard = reach === undefined ? undefined : new AddressGuard(reach.addresses)
  return {
    clock: realClock,
    rng: realRng,
    net: parts.net ?? realNet,
    plainNet: guard === undefined ? realNet : guardedNet(guard),
    files: storages.files,
    secretFiles: storages.secretFiles,
    httpClient: storages.httpClient,
    modules: new NodeModules(parts.modulesFolder),
    logger: parts.logger,
    openStore: (url) => openStore(url, storages, parts.stores),
    openObjects: (url) => openObjects(url, storages),
    openScratchFile: openRealScratchFile,
    printLine: parts.printLine,
  }
}
