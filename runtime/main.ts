import { Socket } from 'node:net'
import { builtinConnectors } from './builtin-connectors.ts'
import { readCoordinatorSettings, readRuntimeConfig, readWorkerSettings } from './config.ts'
import { serveHealth } from './health.ts'
import { describeWithCauses, MillraceError } from './model/errors.ts'
import { netOf } from './ports/real/encrypted-net.ts'
import { encryptedHttp, realHttp } from './ports/real/http.ts'
import { createLogger } from './ports/real/logger.ts'
import { builtinStores } from './builtin-stores.ts'
import { realPorts } from './ports/real/ports.ts'
import { leaveReason } from './ports/real/termination-log.ts'
import { createWorker, startCoordinator } from './processes.ts'

/** Entry point of the runtime image: `main.ts coordinator | worker`, settings in the environment (config.ts). */
const role = process.argv[2]
const logger = createLogger({
  to: 'stderr',
  level: process.env['MILLRACE_LOG_LEVEL'] === 'debug' ? 'debug' : 'info',
  fields: { role: role ?? 'none' },
})

try {
  exitWithParent()
  const config = readRuntimeConfig(process.env)
  const ports = realPorts({
    stores: builtinStores,
    logger,
    net: netOf(config),
    modulesFolder: process.env['MILLRACE_MODULES'],
    reach: config.reach,
    printLine: (line) => {
      process.stdout.write(`${line}\n`)
    },
  })
  const connectors = builtinConnectors
  if (role === 'coordinator') {
    const running = await startCoordinator(
      config,
      readCoordinatorSettings(process.env, config.host),
      ports,
      config.encryption === 'on' ? encryptedHttp(config) : realHttp,
      connectors,
    )
    logger.info('coordinator ready', { control: running.control.port, http: running.http.port })
    onTermination(() => running.close())
    await running.ended
  } else if (role === 'worker') {
    const settings = readWorkerSettings(process.env, config.host)
    const worker = createWorker(config, settings, ports, connectors)
    if (settings.health !== undefined) await serveHealth(realHttp, settings.health)
    onTermination(() => worker.close())
    // Returns also when another process has this one's place. With restart policy OnFailure 0 then means: not again.
    await worker.run()
  } else {
    throw new MillraceError('ROLE_UNKNOWN', `role ${String(role)} is neither coordinator nor worker`, {
      domain: 'user',
    })
  }
  process.exit(0)
} catch (error) {
  const reason = describeWithCauses(error)
  logger.error('process ends', { reason, code: error instanceof MillraceError ? error.code : 'UNEXPECTED' })
  leaveReason(reason)
  process.exit(1)
}

/** On a laptop the starter holds the other end of a pipe: when it dies, however it dies, so does this process. */
function exitWithParent(): void {
  const fd = process.env['MILLRACE_PARENT_FD']
  if (fd === undefined) return
  const end = (): void => {
    process.exit(143)
  }
  // A socket, not a file stream: a read of a file would keep a thread that holds up the exit.
  new Socket({ fd: Number(fd) }).on('end', end).on('error', end).resume()
}

/** A pod is told to go by SIGTERM and must have gone within its grace period. */
function onTermination(close: () => Promise<void>): void {
  const end = (): void => {
    void close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}
