import type { EventNote, EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import { tellUntold } from '../kube/tell-untold.ts'
import { textWithoutNulls } from '../kube/text-without-nulls.ts'
import { sealOf } from '../resources/hash.ts'
import type { DruidDatasource, DruidDatasourceStatus, UntoldEvent } from './druid-datasource.ts'
import { druidDatasources } from './druid-datasource.ts'
import { statusPatch } from './status.ts'

/** More than a pass has to say; when nothing can be written for long, the oldest are discarded. */
const MOST_UNTOLD = 32

interface RecordParts {
  kube: Kube
  events: Pick<EventRecorder, 'recordOnce'>
}

/** The findings of a pass over a DruidDatasource, and how they become status and Events. */
export class PassRecord {
  readonly #parts: RecordParts
  /** As the API server had it last. */
  resource: DruidDatasource
  /** As the next write is to have it. */
  status: DruidDatasourceStatus

  constructor(parts: RecordParts, resource: DruidDatasource) {
    this.#parts = parts
    this.resource = resource
    this.status = { ...resource.status }
  }

  /** An Event goes into the status with what it follows from, and is reported from there. */
  note(event: EventNote): void {
    const untold = this.status.untold ?? []
    if (untold.some((one) => textWithoutNulls(one.event) === textWithoutNulls(event))) return
    const { uid = '', resourceVersion = '' } = this.resource.metadata
    const id = sealOf([uid, resourceVersion, untold.length]).slice(0, 16)
    this.status = { ...this.status, untold: [...untold, { id, event }].slice(-MOST_UNTOLD) }
  }

  /** With the version that was read, so that two operators cannot both act on an intent. */
  async write(status: DruidDatasourceStatus): Promise<void> {
    const stored = this.resource.status ?? {}
    if (textWithoutNulls(stored) !== textWithoutNulls(status)) {
      const { namespace = 'default', name, resourceVersion } = this.resource.metadata
      this.resource = await this.#parts.kube.patchStatus(
        druidDatasources,
        { namespace, name },
        { metadata: { resourceVersion }, status: statusPatch(stored, status) },
      )
    }
    this.status = { ...status }
  }

  /** Reports what the status lists as untold; what the API server does not take now stays there. */
  async tell(): Promise<void> {
    this.resource = await tellDatasource(this.#parts, this.resource)
    const { untold: _, ...rest } = this.status
    const { untold } = this.resource.status ?? {}
    this.status = untold === undefined || untold === null ? rest : { ...rest, untold }
  }
}

/** Resolves with the resource as it is then; see tellUntold. */
export function tellDatasource(parts: RecordParts, resource: DruidDatasource): Promise<DruidDatasource> {
  return tellUntold(parts.kube, druidDatasources, resource, ({ id, event }: UntoldEvent) =>
    parts.events.recordOnce(resource, { id, ...event }),
  )
}
