import { configuredDruids } from '../../../operator/druid/configured-druids.ts'
import type { DruidClient } from '../../../operator/druid/druid-client.ts'
import { druidDatasources } from '../../../operator/druid/druid-datasource.ts'
import type { DruidDatasource, DruidDatasourceSpec } from '../../../operator/druid/druid-datasource.ts'
import type { KnownDruid } from '../../../operator/druid/druid-reconcile-parts.ts'
import { druidReconciler } from '../../../operator/druid/reconcile.ts'
import { conditionOf } from '../../../operator/druid/status.ts'
import { ORDER_KEY, OWNER_UID_KEY } from '../../../operator/druid/supervisor-spec.ts'
import { isConflict } from '../../../operator/kube/errors.ts'
import { EventRecorder } from '../../../operator/kube/events.ts'
import type { Kube } from '../../../operator/kube/kube.ts'
import { FakeDruid } from '../fake-druid.ts'
import { FakeKube } from '../fake-kube.ts'
import { ManualClock } from '../manual-clock.ts'
import { silentLogger } from '../silent-logger.ts'
import { eventTexts, objectNames, withoutTimes } from './facts.ts'
import type { Facts, Scene } from './story.ts'
import { onePass } from './story.ts'
import type { Strike } from './strike.ts'

const REF = { namespace: 'shop', name: 'clicks' }

/** The API server, for the operator and for everybody else. */
export type SceneKube = Kube & Pick<FakeKube, 'objects' | 'update' | 'peek'>

/** A DruidDatasource, its operator, and a Druid that answers as a real one did. */
export class DruidScene implements Scene {
  readonly druid: FakeDruid
  readonly #clock = new ManualClock()
  readonly #kube: SceneKube
  readonly #strike: Strike
  readonly #known: KnownDruid
  #reconcile: ReturnType<typeof druidReconciler>

  private constructor(strike: Strike, druid: FakeDruid, known: KnownDruid, kube: SceneKube | undefined) {
    this.#strike = strike
    this.#kube = kube ?? new FakeKube(() => this.#clock.now())
    this.druid = druid
    this.#known = known
    this.#reconcile = this.#newOperator()
  }

  /** Without `kube` in memory. */
  static async create(strike: Strike, resource: DruidDatasource, kube?: SceneKube): Promise<DruidScene> {
    const druid = new FakeDruid()
    const known = configuredDruids({ default: { routerUrl: await druid.start() } }).find('default')
    if (known === undefined) throw new Error('the Druid of the scene is not configured')
    const scene = new DruidScene(strike, druid, known, kube)
    await scene.#kube.create(druidDatasources, resource)
    return scene
  }

  edit(changes: Partial<DruidDatasourceSpec>): void {
    this.#kube.update(druidDatasources, REF, (resource) => Object.assign(resource.spec, changes))
  }

  replaceSpec(spec: DruidDatasourceSpec): void {
    this.#kube.update(druidDatasources, REF, (resource) => {
      resource.spec = spec
    })
  }

  async delete(): Promise<void> {
    await this.#kube.delete(druidDatasources, REF)
  }

  resource(): DruidDatasource | undefined {
    return this.#kube.peek(druidDatasources, REF)
  }

  /** Whether the newest spec has come to this end. */
  isReadyBecause(reason: string): boolean {
    const { status, metadata } = this.resource() ?? {}
    return (
      conditionOf(status, 'Ready')?.reason === reason &&
      status?.observedGeneration === metadata?.generation &&
      conditionOf(status, 'Reconciling')?.status === 'False'
    )
  }

  async untilRunning(): Promise<this> {
    for (let pass = 0; pass < 20; pass += 1) {
      if (this.isReadyBecause('Running')) return this
      await onePass(this, this.#strike)
    }
    throw new Error(`no supervisor: ${JSON.stringify(this.resource()?.status)}`)
  }

  async pass(): Promise<number | undefined> {
    try {
      return (await this.#reconcile(REF)).requeueAfterMs
    } catch (error) {
      if (isConflict(error)) return 50
      throw error
    }
  }

  async liveOn(ms: number): Promise<void> {
    await this.#clock.advance(ms)
  }

  restartOperator(): void {
    this.#reconcile = this.#newOperator()
  }

  now(): number {
    return this.#clock.now()
  }

  facts(): Facts {
    const supervisor = this.druid.supervisors.get(REF.name)
    return {
      objects: objectNames(this.#kube),
      status: withoutOrder(withoutTimes(this.resource()?.status)),
      events: withoutTimes(eventTexts(this.#kube)),
      supervisor: withoutOrder(supervisor),
      rules: this.druid.rules.get(REF.name) ?? [],
      compaction: this.druid.compactions.get(REF.name),
      lookups: Object.fromEntries(this.druid.lookups ?? []),
      versions: this.druid.history.get(REF.name)?.length ?? 0,
    }
  }

  stop(): Promise<void> {
    return this.druid.stop()
  }

  #newOperator(): ReturnType<typeof druidReconciler> {
    const clock = this.#strike.clockOf(this.#clock)
    const client = this.#strike.guard<DruidClient>('Druid', this.#known.client())
    const kube = this.#strike.guard<Kube>('API server', this.#kube)
    return druidReconciler({
      kube,
      clock,
      events: new EventRecorder({ kube, clock, logger: silentLogger, instance: 'test' }),
      leadership: this.#strike.leadership(),
      druids: { find: () => ({ ...this.#known, client: () => client }) },
    })
  }
}

/** Without how much of the resource its writer had seen, and without its uid, which another run does not have. */
function withoutOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(withoutOrder)
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== ORDER_KEY && key !== 'order' && key !== OWNER_UID_KEY)
      .map(([key, member]) => [key, withoutOrder(member)]),
  )
}
