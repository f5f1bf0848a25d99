import { createHash } from 'node:crypto'
import type { SinkContext } from '../sink.ts'

/** Job, operator, slot, attempt and number; the operator's id may contain dashes. */
const PART = /^(part-[0-9a-f]{8}-)(.+)-\d+-(\d+)-\d+(?:\.\w+){1,2}$/

/** How the names of a job's files begin in every folder: a UID may be long, and eight digits tell jobs apart. */
export function partPrefix(jobUid: string): string {
  return `part-${createHash('sha256').update(jobUid).digest('hex').slice(0, 8)}-`
}

/** Names of the part files of one writer: `part-<job>-<operator>-<slot>-<attempt>-<n>.<suffix>`. */
export class PartNames {
  readonly #context: Pick<SinkContext, 'jobUid' | 'predecessors' | 'operatorId' | 'slot' | 'attempt'>
  readonly #suffix: string
  #next = 0

  constructor(
    context: Pick<SinkContext, 'jobUid' | 'predecessors' | 'operatorId' | 'slot' | 'attempt'>,
    suffix: string,
  ) {
    this.#context = context
    this.#suffix = suffix
  }

  /** The beginning of the names of this operator's files, in every attempt. */
  get prefix(): string {
    return `${partPrefix(this.#context.jobUid)}${this.#context.operatorId}-`
  }

  next(): string {
    const { slot, attempt } = this.#context
    return `${this.prefix}${slot}-${attempt}-${this.#next++}.${this.#suffix}`
  }

  /** A part of this operator, of whichever job. */
  isOfOperator(name: string): boolean {
    return PART.exec(name)?.[2] === this.#context.operatorId
  }

  isOfJob(name: string): boolean {
    return this.isOfOperator(name) && name.startsWith(this.prefix)
  }

  /** A part that an older attempt began, of this job or of one whose work it continues. */
  isOlder(name: string): boolean {
    const [, prefix = '', operator, attempt] = PART.exec(name) ?? []
    if (operator !== this.#context.operatorId) return false
    if (prefix === partPrefix(this.#context.jobUid)) return Number(attempt) < this.#context.attempt
    return this.#context.predecessors.some((uid) => prefix === partPrefix(uid))
  }
}
