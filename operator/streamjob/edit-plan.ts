import { canonicalJson } from '../../runtime/model/canonical-json.ts'
import { clipped } from '../../runtime/model/clipped.ts'
import { isFields, memberOf } from '../../runtime/model/fields.ts'
import { changeOf } from '../../runtime/plan/change.ts'
import type { StreamJobSpec } from '../api/stream-job.ts'
import type { PodContext } from '../resources/job-pod.ts'
import { templateHash } from '../resources/template.ts'
import type { UsableSpec } from './choose-spec.ts'

/**
 * What an edit does to a job that runs, the gentlest first. none: nothing. settings: how the job is looked after; what runs
 * is not touched. rescale: parallelism only, in the same processes. graph: a savepoint, the next attempt in the same
 * processes. pods: new pods take over at a savepoint. incompatible: it is refused, since state would be lost.
 */
export const EDIT_CLASSES = ['none', 'settings', 'rescale', 'graph', 'pods', 'incompatible'] as const
export type EditClass = (typeof EDIT_CLASSES)[number]

export interface EditStep {
  class: EditClass
  /** `spec.image`. */
  field: string
  /** In a few words, without values that may be secret. */
  what: string
}

export interface EditPlan {
  /** The gravest of its steps. */
  class: EditClass
  steps: readonly EditStep[]
}

/** What reads each field of a spec. A new field does not compile before it is said here. */
const READ_AS: Readonly<Record<keyof StreamJobSpec, 'computed' | 'pods' | 'settings' | 'start'>> = {
  replicas: 'computed',
  maxParallelism: 'computed',
  maxBadShare: 'computed',
  checkpoints: 'computed',
  state: 'computed',
  modules: 'computed',
  graph: 'computed',
  image: 'pods',
  imagePullPolicy: 'pods',
  imagePullSecrets: 'pods',
  env: 'pods',
  resources: 'pods',
  coordinator: 'pods',
  podTemplate: 'pods',
  restartNonce: 'pods',
  desiredState: 'settings',
  savepoints: 'settings',
  deletion: 'settings',
  upgrade: 'settings',
  autoscaler: 'settings',
  restore: 'start',
}

const NAMES = Object.keys(READ_AS) as (keyof StreamJobSpec)[]

/** `context` has the settings by which pods are rendered; its spec does not count. Pure. */
export function planEdit(before: UsableSpec, after: UsableSpec, context: PodContext): EditPlan {
  const steps = [...computedSteps(before, after), ...fieldSteps(before.spec, after.spec, context)]
  const gravest = EDIT_CLASSES.findLast((level) => steps.some((step) => step.class === level))
  return { class: gravest ?? 'none', steps }
}

function computedSteps(before: UsableSpec, after: UsableSpec): EditStep[] {
  const { class: gravest, reasons } = changeOf(before.graph, after.graph)
  if (gravest === 'none') return []
  return reasons.map((what) => ({ class: gravest, field: what.startsWith('"') ? 'spec.graph' : 'spec', what }))
}

function fieldSteps(before: StreamJobSpec, after: StreamJobSpec, context: PodContext): EditStep[] {
  const changed = NAMES.filter((name) => isChanged(name, before, after))
  return changed.flatMap((name): EditStep[] => {
    const field = `spec.${name}`
    const what = `${name} ${wordsFor(before[name], after[name])}`
    switch (READ_AS[name]) {
      case 'settings':
        return [{ class: 'settings', field, what }]
      case 'start':
        return [{ class: 'incompatible', field, what: 'the job has started and has state of its own' }]
      case 'computed':
      case 'pods':
        return rendersOthers({ ...before, [name]: after[name] }, before, context)
          ? [{ class: 'pods', field, what }]
          : []
    }
  })
}

/** What the API server fills in where a file says nothing of it. */
const FILLED_IN: readonly (keyof StreamJobSpec)[] = ['desiredState', 'deletion', 'upgrade']

/** Compares only what is written of the settings: the API server fills in the rest. */
function isChanged(name: keyof StreamJobSpec, before: StreamJobSpec, after: StreamJobSpec): boolean {
  const [old, now] = [before[name], after[name]]
  if (now === undefined && FILLED_IN.includes(name)) return false
  if (READ_AS[name] !== 'settings' || !isFields(old) || !isFields(now))
    return canonicalJson(old ?? null) !== canonicalJson(now ?? null)
  return Object.entries(now).some(([key, value]) => canonicalJson(memberOf(old, key) ?? null) !== canonicalJson(value))
}

function rendersOthers(one: StreamJobSpec, other: StreamJobSpec, context: PodContext): boolean {
  return templateHash({ ...context, spec: one }) !== templateHash({ ...context, spec: other })
}

function wordsFor(old: unknown, now: unknown): string {
  if (old === undefined || old === null) return isShort(now) ? `${clipped(String(now), 100)} is new` : 'is new'
  if (now === undefined || now === null) return 'is gone'
  return isShort(old) && isShort(now) ? `${clipped(String(old), 100)} → ${clipped(String(now), 100)}` : 'changed'
}

function isShort(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number'
}
