import { writeSync } from 'node:fs'
import { readRuntimeConfig, readWorkerSettings } from '../runtime/config.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { netOf } from '../runtime/ports/real/encrypted-net.ts'
import { builtinStores } from '../runtime/builtin-stores.ts'
import { realPorts } from '../runtime/ports/real/ports.ts'
import { createWorker } from '../runtime/processes.ts'
import { benchConnectors, figures, latencies } from './bench-connectors.ts'

/** The real worker with the connectors of the benchmarks; prints what it used when it is told to end. */
const config = readRuntimeConfig(process.env)
const ports = realPorts({
  stores: builtinStores,
  logger: createLogger({ to: 'stderr', level: 'warn' }),
  printLine: () => undefined,
  net: netOf(config),
})
const worker = createWorker(config, readWorkerSettings(process.env, config.host), ports, benchConnectors)
process.once('SIGTERM', () => {
  const { user, system } = process.cpuUsage()
  writeSync(
    1,
    `${JSON.stringify({ cpuMs: (user + system) / 1000, peakRssMb: process.resourceUsage().maxRSS / 1024, latencies: latencies(), ...figures })}\n`,
  )
  process.exit(0)
})
await worker.run()
