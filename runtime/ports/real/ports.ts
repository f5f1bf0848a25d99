import type { Logger } from '../logger.ts'
import type { Ports } from '../ports.ts'
import { realClock } from './clock.ts'
import { realFiles } from './files.ts'
import { realHttpClient } from './http-client.ts'
import { NodeModules } from './modules.ts'
import { realNet } from './net.ts'
import { realRng } from './rng.ts'
import { openRealScratchFile } from './scratch.ts'
import { openStore } from './open-store.ts'

/** The real world. Only entry points (bin files of coordinator, worker, cli) and tests call this. */
export function realPorts(parts: {
  logger: Logger
  printLine: (line: string) => void
  modulesFolder?: string | undefined
}): Ports {
  return {
    clock: realClock,
    rng: realRng,
    net: realNet,
    files: realFiles,
    httpClient: realHttpClient,
    modules: new NodeModules(parts.modulesFolder),
    logger: parts.logger,
    openStore,
    openScratchFile: openRealScratchFile,
    printLine: parts.printLine,
  }
}
