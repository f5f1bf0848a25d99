import { MillraceError } from '../../runtime/model/errors.ts'
import { withoutSecrets } from '../../runtime/model/redacted.ts'
import { UNCONTESTED } from '../controller/leadership.ts'
import type { DruidAccess } from './druid-access.ts'
import type { DruidAnswer } from './druid-answers.ts'
import {
  answerError,
  objects,
  parseLookup,
  parseOverview,
  parseSample,
  parseStatus,
  parseTasks,
  parseVersions,
} from './druid-answers.ts'
import type {
  DruidClient,
  DruidTask,
  JsonObject,
  LookupVersion,
  Outcome,
  SupervisorOverview,
  SupervisorStatus,
  SupervisorVersion,
} from './druid-client.ts'
import type { DruidEndpoint } from './druid-endpoint.ts'
import { DruidTransport } from '../real/druid-transport.ts'
import type { CallLimits } from '../real/druid-transport.ts'
import { isJsonObject } from './json.ts'
import type { Json } from './json.ts'
import { sampleRequest, secretsIn, type Sample } from './sample.ts'
import { WriteQueue } from './write-queue.ts'

/** All supervisors, each with its specification, twice. */
const OVERVIEW_LIMITS: CallLimits = { timeoutMs: 30_000, maxBytes: 64 * 1024 * 1024 }
const SUPERVISORS = '/druid/indexer/v1/supervisor'
const LOOKUPS = '/druid/coordinator/v1/lookups/config'

/** The port over HTTP: a path for each call, and what its answers mean. */
export class HttpDruidClient implements DruidClient {
  readonly #transport: DruidTransport
  readonly #writes: WriteQueue

  /** `access` goes before the login of the endpoint. Throws as DruidTransport does. */
  constructor(endpoint: DruidEndpoint, writes = new WriteQueue(UNCONTESTED), access?: DruidAccess) {
    this.#transport = new DruidTransport(endpoint, access)
    this.#writes = writes
  }

  /** Calls under way are carried out. */
  close(): void {
    this.#transport.close()
  }

  async overview(): Promise<ReadonlyMap<string, SupervisorOverview>> {
    const answer = await this.#transport.call('GET', `${SUPERVISORS}?full`, undefined, OVERVIEW_LIMITS)
    return parseOverview(expectOk('GET supervisors', answer).json)
  }

  async supervisor(id: string): Promise<JsonObject | undefined> {
    const answer = await this.#transport.call('GET', supervisorPath(id))
    if (isAbsent(answer, id)) return undefined
    const { json } = expectOk(`GET supervisor '${id}'`, answer)
    if (isJsonObject(json)) return json
    throw new MillraceError('DRUID_FAILED', `Druid answered no object to GET supervisor '${id}'`, {
      domain: 'dependency',
      retriable: true,
    })
  }

  async history(id: string): Promise<SupervisorVersion[]> {
    const answer = await this.#transport.call('GET', `${supervisorPath(id)}/history`)
    return isAbsent(answer, id) ? [] : parseVersions(expectOk(`GET history of supervisor '${id}'`, answer).json)
  }

  async status(id: string): Promise<SupervisorStatus | undefined> {
    const answer = await this.#transport.call('GET', `${supervisorPath(id)}/status`)
    if (isAbsent(answer, id)) return undefined
    const status = parseStatus(expectOk(`GET status of supervisor '${id}'`, answer).json)
    if (status === undefined) return undefined
    const secrets = await this.#transport.secrets()
    return {
      ...status,
      recentErrors: status.recentErrors.map(({ time, message }) => ({
        time,
        message: withoutSecrets(message, secrets),
      })),
    }
  }

  async applySupervisor(spec: JsonObject): Promise<void> {
    const answer = await this.#write('POST', `${SUPERVISORS}?skipRestartIfUnmodified=true`, spec)
    expectOk('POST supervisor', answer)
  }

  async sample(spec: JsonObject): Promise<Sample> {
    const secrets = [...(await this.#transport.secrets()), ...secretsIn(spec)]
    const answer = await this.#transport.call('POST', '/druid/indexer/v1/sampler', sampleRequest(spec))
    if (answer.status >= 200 && answer.status < 300) return parseSample(answer.json, secrets)
    const error = answerError('POST sampler', answer)
    throw new MillraceError(error.code, withoutSecrets(error.message, secrets), {
      domain: error.domain,
      retriable: error.retriable,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
  }

  suspend(id: string): Promise<Outcome> {
    return this.#command(id, 'suspend')
  }

  resume(id: string): Promise<Outcome> {
    return this.#command(id, 'resume')
  }

  terminate(id: string): Promise<Outcome> {
    return this.#command(id, 'terminate')
  }

  async handOff(id: string, groups: readonly number[]): Promise<void> {
    expectOk(
      `hand-off of supervisor '${id}'`,
      await this.#write('POST', `${supervisorPath(id)}/taskGroups/handoff`, { taskGroupIds: [...groups] }),
    )
  }

  async tasks(dataSource: string, state: 'running' | 'complete', max: number): Promise<DruidTask[]> {
    const query = new URLSearchParams({
      state,
      datasource: dataSource,
      ...(state === 'complete' ? { max: String(max) } : {}),
    })
    const answer = await this.#transport.call('GET', `/druid/indexer/v1/tasks?${query.toString()}`)
    return parseTasks(expectOk(`GET tasks of '${dataSource}'`, answer)).slice(0, max)
  }

  async rules(dataSource: string): Promise<JsonObject[]> {
    return objects(
      expectOk(`GET rules of '${dataSource}'`, await this.#transport.call('GET', rulesPath(dataSource))).json,
    )
  }

  async setRules(dataSource: string, rules: readonly JsonObject[]): Promise<void> {
    expectOk(`POST rules of '${dataSource}'`, await this.#write('POST', rulesPath(dataSource), rules))
  }

  async compaction(dataSource: string): Promise<JsonObject | undefined> {
    const answer = await this.#transport.call('GET', compactionPath(dataSource))
    if (hasNoCompaction(answer)) return undefined
    const { json } = expectOk(`GET compaction of '${dataSource}'`, answer)
    return isJsonObject(json) ? json : undefined
  }

  async setCompaction(dataSource: string, config: JsonObject): Promise<void> {
    const answer = await this.#write('POST', compactionPath(dataSource), { ...config, dataSource })
    expectOk(`POST compaction of '${dataSource}'`, answer)
  }

  async removeCompaction(dataSource: string): Promise<void> {
    const answer = await this.#write('DELETE', compactionPath(dataSource))
    if (!hasNoCompaction(answer)) expectOk(`DELETE compaction of '${dataSource}'`, answer)
  }

  async lookup(tier: string, name: string): Promise<LookupVersion | undefined> {
    const answer = await this.#transport.call('GET', lookupPath(tier, name))
    if (isMissingLookup(answer)) return undefined
    return parseLookup(expectOk(`GET lookup '${name}'`, answer).json)
  }

  async setLookup(tier: string, name: string, { version, factory }: LookupVersion): Promise<void> {
    const send = (): Promise<DruidAnswer> =>
      this.#write('POST', lookupPath(tier, name), { version, lookupExtractorFactory: factory })
    const answer = await send()
    if (!knowsNoLookups(answer)) {
      expectOk(`POST lookup '${name}'`, answer)
      return
    }
    expectOk('POST lookups', await this.#write('POST', LOOKUPS, {}))
    expectOk(`POST lookup '${name}'`, await send())
  }

  async removeLookup(tier: string, name: string): Promise<void> {
    const answer = await this.#write('DELETE', lookupPath(tier, name))
    if (answer.status !== 404) expectOk(`DELETE lookup '${name}'`, answer)
  }

  async query(sql: string): Promise<JsonObject[]> {
    const answer = await this.#transport.call('POST', '/druid/v2/sql', { query: sql, resultFormat: 'object' })
    return objects(expectOk('SQL query', answer).json)
  }

  async #command(id: string, verb: 'suspend' | 'resume' | 'terminate'): Promise<Outcome> {
    const answer = await this.#write('POST', `${supervisorPath(id)}/${verb}`)
    if (isAbsent(answer, id)) return 'absent'
    if (answer.status === 400 && /is already (suspended|running)/.test(answer.text)) return 'already'
    expectOk(`${verb} supervisor '${id}'`, answer)
    return 'done'
  }

  #write(method: 'POST' | 'DELETE', path: string, body?: Json): Promise<DruidAnswer> {
    return this.#writes.add(`${method} ${path}`, () => this.#transport.call(method, path, body))
  }
}

function supervisorPath(id: string): string {
  return `${SUPERVISORS}/${encodeURIComponent(id)}`
}

function lookupPath(tier: string, name: string): string {
  return `${LOOKUPS}/${encodeURIComponent(tier)}/${encodeURIComponent(name)}`
}

/** Any other 404 means that this Druid has no such call. */
function isMissingLookup({ status, text }: DruidAnswer): boolean {
  return status === 404 && /^\{"error":"lookup \[.*\] not found"\}$/.test(text)
}

/** A Druid that never had a lookup takes none before it is told that there will be some. */
function knowsNoLookups({ status, text }: DruidAnswer): boolean {
  return status === 500 && text.includes('Not initialized')
}

function rulesPath(dataSource: string): string {
  return `/druid/coordinator/v1/rules/${encodeURIComponent(dataSource)}`
}

/** A call of the Overlord: it works whether compaction is run by supervisors or by the Coordinator. */
function compactionPath(dataSource: string): string {
  return `/druid/indexer/v1/compaction/config/datasources/${encodeURIComponent(dataSource)}`
}

/** Any other 404 means that this Druid has no such call. */
function hasNoCompaction({ status, json }: DruidAnswer): boolean {
  return status === 404 && isJsonObject(json) && json['category'] === 'NOT_FOUND'
}

/** A 404 that names the supervisor; any other 404 means that this is not a Druid management API. */
function isAbsent(answer: DruidAnswer, id: string): boolean {
  return answer.status === 404 && answer.text.includes(`[${id}]`)
}

function expectOk(call: string, answer: DruidAnswer): DruidAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer
  throw answerError(call, answer)
}
