import { signedStore } from './checkpoint/signed-store.ts'
import { scopedStore } from './checkpoint/scoped-store.ts'
import type { CoordinatorSettings, RuntimeConfig, WorkerSettings } from './config.ts'
import type { Connectors } from './connectors/registry.ts'
import { Coordinator } from './coordinator/coordinator.ts'
import { httpApi } from './coordinator/http-api.ts'
import { planJob } from './front/planned-job.ts'
import type { Http } from './ports/http.ts'
import type { NetAddress } from './ports/net.ts'
import type { Ports } from './ports/ports.ts'
import { roomInMemory } from './ports/real/memory.ts'
import { ChainWorker } from './worker/worker.ts'

/** A coordinator that serves its API, as `runtime/main.ts` and `millrace run --in-process` start it. */
export interface RunningCoordinator {
  coordinator: Coordinator
  control: NetAddress
  http: NetAddress
  /** Rejects with ATTEMPT_SUPERSEDED when another coordinator has taken over. */
  ended: Promise<void>
  close(): Promise<void>
}

/** The API is served first, so that a coordinator whose store cannot be used says so instead of dying silently. */
export async function startCoordinator(
  config: RuntimeConfig,
  settings: CoordinatorSettings,
  given: Ports,
  http: Http,
  connectors: Connectors,
): Promise<RunningCoordinator> {
  const ports = withSigning(given, settings)
  const store = scopedStore(ports.openStore(config.store), config.storeFolder)
  const coordinator = new Coordinator(
    {
      job: config.job,
      jobUid: config.jobUid,
      token: config.token,
      control: settings.control,
      baseDir: config.baseDir,
      storeUrl: config.store,
      heartbeatTimeoutMs: config.heartbeatTimeoutMs,
      template: config.template,
    },
    ports,
    connectors,
    store,
    // what reaches a coordinator was accepted before it, perhaps by an earlier version
    (spec) => planJob(spec, connectors, 'kept'),
  )
  const ended = coordinator.ended()
  const control = await coordinator.start()
  const server = await http.serve(settings.http, httpApi(coordinator, config.token))
  return {
    coordinator,
    control,
    http: server.address,
    ended,
    close: async () => {
      await coordinator.close()
      await server.close()
    },
  }
}

/** The stores of a coordinator that signs, its own and those that it takes state from. */
function withSigning(ports: Ports, { signing }: CoordinatorSettings): Ports {
  return signing === undefined ? ports : { ...ports, openStore: (url) => signedStore(ports.openStore(url), signing) }
}

export function createWorker(
  config: RuntimeConfig,
  settings: Omit<WorkerSettings, 'health'>,
  ports: Ports,
  connectors: Connectors,
): ChainWorker {
  return new ChainWorker(
    {
      ...settings,
      job: config.job,
      token: config.token,
      storeFolder: config.storeFolder,
      heartbeatTimeoutMs: config.heartbeatTimeoutMs,
      roomInMemory,
    },
    ports,
    connectors,
  )
}
