import type { KubeObject } from './objects.ts'
import type { ResourceType } from './resource-type.ts'

/**
 * The Kubernetes API as the operator uses it: a port. Real: real/kube-http-client.ts; tests: a fake in memory.
 * Every call throws KubeError (errors.ts) for an answer other than success, or when there is none.
 */
export interface Kube {
  /**
   * The time of the API server, ms since the epoch, as of its newest answer. Stamps that stay in objects (of deletions,
   * conditions, operations) are made from this and compared with this: the operator's own clock may be minutes off, and
   * another operator may go on with what this one has begun.
   */
  now(): number
  get<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef): Promise<T>
  list<T extends KubeObject>(resource: ResourceType<T>, scope: Scope): Promise<ObjectList<T>>
  /**
   * Reports changes after `resourceVersion` to `onEvent`, in order. `ended` settles once, with the reason, when
   * the server ends the stream (routine), after 410 Gone (list again), on failure, or after stop().
   */
  watch<T extends KubeObject>(
    resource: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Watch
  create<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T>
  /**
   * Whether `create` would take the object now: fields, quotas and admission are checked and nothing is stored. Throws
   * what create would throw. Several objects that are tried one by one may still exceed a quota together.
   */
  dryRunCreate<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<void>
  /** JSON merge patch of everything but the status; put `metadata.resourceVersion` in it for optimistic locking. */
  patch<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch): Promise<T>
  /** JSON merge patch of the status subresource: `{ status: … }`, with `metadata.resourceVersion` for locking. */
  patchStatus<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch): Promise<T>
  /** Server-side apply with force, under `fieldManager`: creates the object or takes over the fields given. */
  apply<T extends KubeObject>(resource: ResourceType<T>, object: T, fieldManager: string): Promise<T>
  /** Deletes in the background. A precondition that does not hold is a conflict. */
  delete<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>
}

export interface ObjectRef {
  namespace: string
  name: string
}

export interface Scope {
  /** Absent: every namespace. */
  namespace?: string
  labelSelector?: string
}

export interface ObjectList<T> {
  items: T[]
  resourceVersion: string
}

export interface WatchOptions extends Scope {
  resourceVersion: string
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  /** Nothing changed; a watch may resume from here. */
  | { type: 'BOOKMARK'; resourceVersion: string }

export interface Watch {
  readonly ended: Promise<WatchEnd>
  stop(): void
}

export type WatchEnd =
  | { kind: 'closed' }
  /** The server no longer has what came after the resourceVersion (410). */
  | { kind: 'gone' }
  | { kind: 'failed'; error: unknown }

/** RFC 7386: members replace, null removes. */
export type MergePatch = Readonly<Record<string, unknown>>

export interface DeleteOptions {
  preconditions?: { uid?: string; resourceVersion?: string }
  gracePeriodSeconds?: number
  /** Background when it is absent. */
  propagationPolicy?: 'Background' | 'Orphan'
}
