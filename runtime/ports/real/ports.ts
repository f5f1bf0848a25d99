import type { Reach } from '../../model/reach.ts'
import type { Logger } from '../logger.ts'
import type { Ports } from '../ports.ts'
import { filesWithin, secretFiles } from '../reached-files.ts'
import { realClock } from './clock.ts'
import { realFiles } from './files.ts'
import { AddressGuard } from './guarded-lookup.ts'
import { RealHttpClient } from './http-client.ts'
import { NodeModules } from './modules.ts'
import type { Net } from '../net.ts'
import { realNet } from './net.ts'
import { realRng } from './rng.ts'
import { openFolderObjects } from './folder-objects.ts'
import { openRealScratchFile } from './scratch.ts'
import { openStore } from './open-store.ts'

/** The real world. Only entry points (bin files of coordinator, worker, cli) and tests call this. */
export function realPorts(parts: {
  logger: Logger
  printLine: (line: string) => void
  modulesFolder?: string | undefined
  /** Connections between the processes of the job; plain TCP when absent. */
  net?: Net
  /** Absent: no bound. */
  reach?: Reach | undefined
}): Ports {
  const { reach } = parts
  const secrets = secretFiles(realFiles, reach)
  const files = reach === undefined ? realFiles : filesWithin(realFiles, reach)
  return {
    clock: realClock,
    rng: realRng,
    net: parts.net ?? realNet,
    files,
    secretFiles: secrets,
    httpClient: new RealHttpClient({
      guard: reach === undefined ? undefined : new AddressGuard(reach.addresses),
      secrets,
    }),
    modules: new NodeModules(parts.modulesFolder),
    logger: parts.logger,
    openStore,
    openObjects: (url) => openFolderObjects(url, files.realPath),
    openScratchFile: openRealScratchFile,
    printLine: parts.printLine,
  }
}
