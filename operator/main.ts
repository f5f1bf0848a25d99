import { hostname } from 'node:os'
import { collectDefaultMetrics } from 'prom-client'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { describeWithCauses } from '../runtime/model/errors.ts'
import { realClock } from '../runtime/ports/real/clock.ts'
import { realHttp } from '../runtime/ports/real/http.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { realRng } from '../runtime/ports/real/rng.ts'
import { readConfig } from './config.ts'
import { configuredDruids } from './druid/configured-druids.ts'
import { serveHealth } from './health-server.ts'
import { startOperator } from './operator.ts'
import { JobHttpClient } from './real/job-http-client.ts'
import { kubeConnection } from './real/kube-config.ts'
import { KubeHttpClient } from './real/kube-http-client.ts'

/** Entry point of the operator image: `main.ts [operator] [flags]`; settings in config.ts. Wiring only. */
const logger = createLogger({ to: 'stderr', level: process.env['MILLRACE_LOG_LEVEL'] === 'debug' ? 'debug' : 'info' })

process.on('unhandledRejection', (reason) => {
  logger.error('the operator ends: a promise was rejected and nobody listened', { reason: describeWithCauses(reason) })
  process.exit(1)
})

try {
  const args = process.argv.slice(2)
  const config = readConfig(args[0] === 'operator' ? args.slice(1) : args, process.env)
  const kube = new KubeHttpClient(await kubeConnection(config.kubeconfig))
  const identity = `${hostname()}-${realRng.id()}`
  const operator = startOperator({
    kube,
    clock: realClock,
    rng: realRng,
    logger,
    jobClient: new JobHttpClient(),
    connectors: builtinConnectors,
    druids: (leadership) => configuredDruids(config.druids, leadership),
    settings: {
      ...(config.namespaces === undefined ? {} : { namespaces: config.namespaces }),
      pods: config.pods,
      tokenKeys: config.tokenKeys,
      rolloutLimit: config.rolloutLimit,
      ...(config.operatorClass === undefined ? {} : { operatorClass: config.operatorClass }),
      ...(config.leaderElection === undefined
        ? {}
        : {
            // A process that has lost the lease cannot know what it still had under way: only a new one may act.
            leaderElection: {
              lease: config.leaderElection,
              identity,
              onLost: () => {
                process.exit(1)
              },
            },
          }),
    },
  })
  // prom-client's own: memory, CPU, and for how long the loop was held up, which no pass over an object may do.
  collectDefaultMetrics({ register: operator.metrics.registry })
  const health = await serveHealth(realHttp, config.health, operator)
  logger.info('operator started', { identity, health: health.address.port, namespaces: config.namespaces ?? 'all' })
  let ending = false
  const end = (): void => {
    if (ending) return
    ending = true
    void operator.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
} catch (error) {
  logger.error('the operator could not start', { reason: describeWithCauses(error) })
  process.exit(1)
}
