import type { Reason } from '../kube/reasons.ts'
import { MillraceError, describeWithCauses } from '../../runtime/model/errors.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import type { Order } from '../../runtime/model/job.ts'
import { orderOf } from '../controller/leadership.ts'
import { KubeError, unlessNotFound } from '../kube/errors.ts'
import type { EventNote } from '../kube/events.ts'
import { isoSeconds } from '../kube/events.ts'
import { applyLookups } from './apply-lookups.ts'
import { applySettings } from './apply-settings.ts'
import { isLookupEntry } from './lookups.ts'
import type { SettingStatus } from './settings.ts'
import { useProblem } from './allowed-use.ts'
import { differences, fewPaths } from './compare-spec.ts'
import type { ApplyReason, Decision, Observation } from './decide.ts'
import { decide, switchNote } from './decide.ts'
import type { DruidClient, JsonObject, SupervisorStatus } from './druid-client.ts'
import type { DruidDatasource, DruidDatasourceStatus } from './druid-datasource.ts'
import { dataSourceOf, druidDatasources } from './druid-datasource.ts'
import type { DruidReconcileParts } from './druid-reconcile-parts.ts'
import { readAccess } from './read-access.ts'
import { isSettled, isUnchanged } from './glance.ts'
import type { Overview, SharedLooks } from './shared-looks.ts'
import { isTransitional } from './health.ts'
import { hasUntold, TELL_AGAIN_MS } from '../kube/tell-untold.ts'
import { PassRecord } from './pass-record.ts'
import type { Conclusion, PassResult } from './status.ts'
import { statusAfter } from './status.ts'
import type { DesiredSupervisor } from './supervisor-spec.ts'
import { desiredSupervisor, isMarkedElsewhere, markOwnerOf, ownerOf, withOrder } from './supervisor-spec.ts'
import { unreadAfter, wantsHandOff } from './unread-partitions.ts'
import { specProblems } from './validate-spec.ts'
import { verdictOf, verdictOfError, wantsSample, type SampleVerdict } from './sample.ts'
import { transitionNotes } from './transition-notes.ts'

const DEFAULT_SYNC_MS = 15_000
const SOON_MS = 3_000
const COMPLETED_TASKS_SEEN = 5

/** One pass over one resource that is not being deleted: observe, decide, intent, one act, status. */
export class Pass {
  readonly #parts: DruidReconcileParts
  readonly #looks: SharedLooks
  readonly #record: PassRecord
  #settingsDrift: readonly string[] = []

  /** With others, whose looks are had at the same moments. */
  #isShared = false

  constructor(parts: DruidReconcileParts, looks: SharedLooks, resource: DruidDatasource) {
    this.#parts = parts
    this.#looks = looks
    this.#record = new PassRecord(parts, resource)
  }

  /** Returns after how many milliseconds to look again. */
  async run(): Promise<number> {
    await this.#record.tell()
    const before = this.#record.status
    const result = await this.#result()
    const nextLookMs = result.kind === 'unchanged' ? this.#untilNextCycle() : await this.#conclude(before, result)
    return hasUntold(this.#record.resource) ? Math.min(TELL_AGAIN_MS, nextLookMs) : nextLookMs
  }

  async #conclude(before: DruidDatasourceStatus, result: Conclusion): Promise<number> {
    const next = statusAfter(this.#record.resource, this.#record.status, result, this.#parts.kube.now())
    for (const note of transitionNotes(before, next)) this.#record.note(note)
    const { untold } = this.#record.status
    await this.#record.write(untold === undefined ? next : { ...next, untold })
    await this.#record.tell()
    const soon =
      result.kind === 'unreachable' ||
      (result.kind === 'seen' &&
        result.decision.act !== 'refuse' &&
        (isTransitional(result.supervisor) || next.unread !== undefined))
    return soon ? Math.min(SOON_MS, this.#syncMs()) : this.#untilNextCycle()
  }

  #syncMs(): number {
    return parseDurationMs(this.#record.resource.spec.syncInterval ?? '') ?? DEFAULT_SYNC_MS
  }

  /** Resources that share a Druid look at the same moments, so that one call serves them all. */
  #untilNextCycle(): number {
    const syncMs = this.#syncMs()
    return this.#isShared ? syncMs - (this.#parts.clock.now() % syncMs) : syncMs
  }

  async #result(): Promise<PassResult> {
    const problems = specProblems(this.#record.resource)
    if (problems.length > 0) return { kind: 'invalid', reason: 'SpecInvalid', problems }
    const name = this.#record.resource.spec.druid?.name ?? 'default'
    const druid = this.#parts.druids.find(name)
    if (!druid) {
      return {
        kind: 'invalid',
        reason: 'SpecInvalid',
        problems: [
          {
            path: 'spec.druid.name',
            message: `the operator knows no Druid named '${name}'`,
            hint: "Add it to druids in the operator's configuration.",
          },
        ],
      }
    }
    const unallowed = useProblem(name, druid.allowed, this.#record.resource)
    if (unallowed) return { kind: 'invalid', reason: 'NotAllowed', problems: [unallowed] }
    try {
      const client = druid.client(await readAccess(this.#parts.kube, this.#record.resource, druid.address))
      return await this.#synchronise(client, desiredSupervisor(this.#record.resource))
    } catch (error) {
      if (error instanceof MillraceError && error.code.startsWith('DRUID_')) {
        const message = `${describeWithCauses(error)}${error.hint === undefined ? '' : `. ${error.hint}`}`
        return { kind: 'unreachable', reason: REASONS[error.code] ?? 'DruidFailed', message }
      }
      throw error
    }
  }

  async #synchronise(client: DruidClient, desired: DesiredSupervisor): Promise<PassResult> {
    const key = `${this.#record.resource.metadata.namespace ?? ''}/${this.#record.resource.metadata.name}`
    const overview = await this.#looks.overview(client, key, this.#syncMs())
    this.#isShared = this.#looks.isShared(client)
    if (overview && this.#isUnchanged(overview, desired)) return { kind: 'unchanged' }
    this.#looks.lookedClosely(client, key)
    if (this.#record.status.rejected && this.#record.status.rejected.hash !== desired.hash)
      delete this.#record.status.rejected
    const decision = await this.#act(
      client,
      desired,
      decide(desired, this.#record.resource.spec, this.#record.status, await this.#observe(client, desired)),
    )
    if (decision.act !== 'refuse') await this.#configure(client)
    const supervisor = decision.act === 'refuse' ? undefined : await client.status(desired.id)
    await this.#watchPartitions(client, desired.id, supervisor)
    const completedTasks = supervisor ? await client.tasks(desired.id, 'complete', COMPLETED_TASKS_SEEN) : []
    return { kind: 'seen', decision, supervisor, completedTasks, settingsDrift: this.#settingsDrift }
  }

  #isUnchanged(overview: Overview, desired: DesiredSupervisor): boolean {
    if (!isSettled(this.#record.resource, this.#record.status)) return false
    const owner = markOwnerOf(this.#record.resource, this.#parts.leadership.turn())
    return isUnchanged(overview.get(desired.id), this.#record.resource, this.#record.status, { desired, owner })
  }

  async #configure(client: DruidClient): Promise<void> {
    const kept = (this.#record.status.settings ?? []).filter(isLookupEntry)
    const intend = (settings: SettingStatus[]): Promise<void> =>
      this.#record.write({ ...this.#record.status, settings })
    const note = (event: EventNote): void => {
      this.#record.note(event)
    }
    const ofDatasource = await applySettings(client, this.#record.resource, {
      note,
      intend: (intended) => intend([...intended, ...kept]),
    })
    const lookups = await applyLookups(client, this.#record.resource, {
      note,
      intend: (intended) => intend([...ofDatasource.settings, ...intended]),
    })
    this.#settingsDrift = [...ofDatasource.drift, ...lookups.drift]
    const settings = [...ofDatasource.settings, ...lookups.settings]
    const { settings: _, ...rest } = this.#record.status
    this.#record.status = settings.length === 0 ? rest : { ...rest, settings }
  }

  async #observe(client: DruidClient, { id, owner }: DesiredSupervisor): Promise<Observation> {
    const live = await client.supervisor(id)
    const history = live ? [] : await client.history(id)
    const found = live ?? history[0]?.spec
    const marked = found === undefined ? undefined : ownerOf(found)
    const elsewhere =
      found !== undefined && isMarkedElsewhere(found, markOwnerOf(this.#record.resource, this.#parts.leadership.turn()))
    return {
      live,
      history,
      isOwnerGone: marked !== undefined && marked !== owner && !elsewhere && (await this.#isGone(marked, id)),
      isMarkedElsewhere: elsewhere,
    }
  }

  /**
   * A resource of that name that was made since for another datasource is not the owner. Where the operator may not
   * look, the resource is taken to be there.
   */
  async #isGone(owner: string, id: string): Promise<boolean> {
    const [namespace = '', name = ''] = owner.split('/')
    try {
      const resource = await unlessNotFound(this.#parts.kube.get(druidDatasources, { namespace, name }))
      return resource === undefined || dataSourceOf(resource) !== id
    } catch (error) {
      if (error instanceof KubeError && error.status === 403) return false
      throw error
    }
  }

  /** Partitions that Druid leaves without a reader are distributed again. */
  async #watchPartitions(client: DruidClient, id: string, supervisor: SupervisorStatus | undefined): Promise<void> {
    const now = this.#parts.kube.now()
    const { unread: before, ...rest } = this.#record.status
    const unread = unreadAfter(before, supervisor, now)
    this.#record.status = unread === undefined ? rest : { ...rest, unread }
    if (!supervisor || !unread || !wantsHandOff(unread, now)) return
    await client.handOff(
      id,
      Array.from({ length: supervisor.partitions }, (_, group) => group),
    )
    this.#record.status.unread = { ...unread, handedOff: isoSeconds(now) }
    this.#tell(
      'Warning',
      'TasksHandedOff',
      `no task of supervisor '${id}' has read partition ${unread.partitions.join(', ')} since ${unread.since}; ordered its tasks to publish, so that new tasks read all`,
    )
  }

  /** Does what was decided; returns what then holds. */
  async #act(client: DruidClient, desired: DesiredSupervisor, decision: Decision): Promise<Decision> {
    if (decision.act === 'nothing') await this.#noteSwitch(desired)
    if (decision.act === 'nothing' || decision.act === 'refuse') return decision
    if (decision.act === 'apply') return this.#apply(client, desired, decision)
    if (decision.act === 'confirm') return this.#applied(desired, decision, decision.live)
    if (decision.act === 'restore') return this.#restore(client, desired, decision, undefined)
    const outcome = decision.act === 'suspend' ? await client.suspend(desired.id) : await client.resume(desired.id)
    if (outcome === 'absent')
      throw new MillraceError('DRUID_FAILED', `supervisor '${desired.id}' went away meanwhile`, {
        domain: 'dependency',
        retriable: true,
      })
    if (this.#record.status.applied)
      this.#record.status.applied = { ...this.#record.status.applied, suspended: desired.suspended }
    this.#tell(decision.reason === 'DriftCorrected' ? 'Warning' : 'Normal', decision.reason, decision.message)
    return this.#settled(desired)
  }

  /**
   * A pass that ended behind its call has suspended or resumed the supervisor, and nobody knows. Without it, the next
   * change would be taken for somebody else's.
   */
  async #noteSwitch(desired: DesiredSupervisor): Promise<void> {
    const { applied } = this.#record.status
    if (applied === undefined || applied.suspended === desired.suspended) return
    this.#record.status.applied = { ...applied, suspended: desired.suspended }
    const { reason, message } = switchNote(desired)
    this.#tell('Normal', reason, message)
  }

  async #apply(
    client: DruidClient,
    desired: DesiredSupervisor,
    decision: Extract<Decision, { act: 'apply' }>,
  ): Promise<Decision> {
    const verdict = await this.#sample(client, desired, decision)
    if (verdict.kind === 'refused') return { act: 'nothing', drift: [], sampleRefused: verdict.message }
    const message =
      verdict.kind === 'passed' ? decision.message : `${decision.message}; not sampled before: ${verdict.why}`
    const time = isoSeconds(this.#parts.kube.now())
    await this.#record.write({
      ...this.#record.status,
      applying: { hash: desired.hash, time, as: { reason: decision.reason, message } },
    })
    try {
      await client.applySupervisor(this.#marked(decision.spec))
    } catch (error) {
      return this.#afterRefusal(client, desired, error)
    }
    const kept = await client.supervisor(desired.id)
    if (!kept) return this.#afterRefusal(client, desired, vanished(desired.id))
    return this.#applied(desired, { ...decision, message }, kept)
  }

  /** A specification whose POST has begun in an earlier pass has been tried. */
  async #sample(
    client: DruidClient,
    { hash }: DesiredSupervisor,
    { reason, spec }: Extract<Decision, { act: 'apply' }>,
  ): Promise<SampleVerdict> {
    const { spec: written } = this.#record.resource
    if (!wantsSample(reason, written.validation) || this.#record.status.applying?.hash === hash)
      return { kind: 'passed' }
    try {
      return verdictOf(await client.sample(spec))
    } catch (error) {
      return verdictOfError(error)
    }
  }

  #applied(
    desired: DesiredSupervisor,
    { reason, message }: { reason: ApplyReason; message: string },
    kept: JsonObject,
  ): Decision {
    this.#recordApplied(desired, kept)
    this.#tell(ALARMING.includes(reason) ? 'Warning' : 'Normal', reason, message)
    return this.#settled(desired)
  }

  /** Druid said no: is what ran before still there? */
  async #afterRefusal(client: DruidClient, desired: DesiredSupervisor, error: unknown): Promise<Decision> {
    if (!(error instanceof MillraceError) || (error.code !== 'DRUID_REJECTED' && error.code !== 'DRUID_FAILED'))
      throw error
    const next = decide(desired, this.#record.resource.spec, this.#record.status, await this.#observe(client, desired))
    if (next.act === 'restore' && next.rejects) return this.#restore(client, desired, next, error.message)
    if (error.code === 'DRUID_FAILED') throw error
    return this.#reject(desired, error.message)
  }

  async #restore(
    client: DruidClient,
    desired: DesiredSupervisor,
    decision: Extract<Decision, { act: 'restore' }>,
    why: string | undefined,
  ): Promise<Decision> {
    await client.applySupervisor(this.#marked(decision.spec))
    this.#tell('Warning', 'LostAndRestored', decision.message)
    if (decision.rejects)
      return this.#reject(desired, why ?? 'the supervisor was gone after the specification had been sent')
    if (decision.spec === desired.spec) this.#recordApplied(desired, await client.supervisor(desired.id))
    return this.#settled(desired)
  }

  async #reject(desired: DesiredSupervisor, message: string): Promise<Decision> {
    delete this.#record.status.applying
    this.#record.status.rejected = { hash: desired.hash, message }
    this.#tell('Warning', 'Rejected', `Druid refused the specification: ${message}`)
    return this.#settled(desired)
  }

  /** `kept` is how Druid gives it back. */
  #recordApplied(desired: DesiredSupervisor, kept: JsonObject | undefined): void {
    const isRaw = this.#record.resource.spec.rawSpec !== undefined
    const unkept = isRaw && kept ? fewPaths(differences(desired.spec, kept)) : []
    delete this.#record.status.applying
    delete this.#record.status.rejected
    this.#record.status.applied = {
      hash: desired.hash,
      suspended: desired.suspended,
      time: isoSeconds(this.#parts.kube.now()),
      order: this.#order(),
      // an empty list, too: a merge patch keeps what it does not name
      ...(isRaw || this.#record.status.applied?.unkept !== undefined ? { unkept } : {}),
    }
  }

  #marked(spec: JsonObject): JsonObject {
    return withOrder(spec, this.#order(), this.#record.resource.metadata.uid)
  }

  #order(): Order {
    return orderOf(this.#record.resource, this.#parts.leadership)
  }

  #settled(desired: DesiredSupervisor): Decision {
    const rejected =
      this.#record.status.rejected?.hash === desired.hash ? this.#record.status.rejected.message : undefined
    return { act: 'nothing', drift: [], ...(rejected === undefined ? {} : { rejected }) }
  }

  #tell(type: EventNote['type'], reason: Reason, message: string): void {
    this.#record.note({ type, reason, message })
  }
}

/** Others have done something that had to be undone. */
const ALARMING: readonly string[] = ['DriftCorrected', 'RecreatedAfterTerminate', 'LateWriteCorrected']

const REASONS: Readonly<Record<string, string>> = {
  DRUID_UNREACHABLE: 'DruidUnreachable',
  DRUID_UNAUTHORIZED: 'Unauthorized',
  DRUID_FAILED: 'DruidFailed',
  DRUID_REJECTED: 'Rejected',
  DRUID_SECRET_MISSING: 'SecretMissing',
  DRUID_SECRET_FORBIDDEN: 'SecretForbidden',
  DRUID_SECRET_INVALID: 'SecretInvalid',
}

function vanished(id: string): MillraceError {
  return new MillraceError('DRUID_FAILED', `Druid accepted the specification and has no supervisor '${id}'`, {
    domain: 'dependency',
    retriable: true,
  })
}
