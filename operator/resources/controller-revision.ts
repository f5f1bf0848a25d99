import type { StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { jobObjectMetadata } from './job-objects.ts'

/** The API server takes no other `data` for one that is there. */
export interface ControllerRevision extends KubeObject {
  data?: unknown
  revision: number
}
export const controllerRevisions: ResourceType<ControllerRevision> = {
  group: 'apps',
  version: 'v1',
  plural: 'controllerrevisions',
  kind: 'ControllerRevision',
}

export function revisionName(job: string, hash: string): string {
  return `${job}-${hash.slice(0, 10)}`
}

/** A spec of a job, kept under its hash. */
export function controllerRevision(
  job: StreamJob,
  { hash, spec, revision }: { hash: string; spec: StreamJobSpec; revision: number },
): ControllerRevision {
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: jobObjectMetadata(job, revisionName(job.metadata.name, hash)),
    data: spec,
    revision,
  }
}
