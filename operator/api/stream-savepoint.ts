import type { ErrorReport } from '../../runtime/model/errors.ts'
import type { Condition, KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { GROUP } from './stream-job.ts'

export const streamSavepoints: ResourceType<StreamSavepoint> = {
  group: GROUP,
  version: 'v1alpha1',
  plural: 'streamsavepoints',
  kind: 'StreamSavepoint',
}

/** crds/streamsavepoints.yaml in types. */
export interface StreamSavepoint extends KubeObject {
  spec: {
    /** Name of a StreamJob in the same namespace. */
    job: string
    timeout?: string
    /** Why it is taken; those of people are Manual. */
    trigger?: SavepointTrigger
    /** What becomes of the files when this object is deleted. */
    deletionPolicy?: 'Retain' | 'Delete'
  }
  status?: StreamSavepointStatus
}

/** The last three are records of savepoints that the operator has had taken, which are asked for in other ways. */
export type SavepointTrigger = 'Manual' | 'Periodic' | 'Suspend' | 'Upgrade' | 'Final'

export interface StreamSavepointStatus {
  observedGeneration?: number
  phase?: 'Pending' | 'InProgress' | 'Completed' | 'Failed'
  /** What the coordinator knows this savepoint by: repeating it asks for the same one. */
  id?: string
  /** Folder of the savepoint: what spec.restore.path of a job, and `millrace savepoint inspect`, take. */
  location?: string
  attempt?: number
  sizeBytes?: number
  durationMs?: number
  startedAt?: string
  completedAt?: string
  error?: ErrorReport
  conditions?: Condition[]
}
