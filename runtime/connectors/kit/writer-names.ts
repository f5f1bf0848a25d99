import type { SinkContext } from '../sink.ts'

/** Distinct for each writer that ever runs: what two of them send is never taken for the same. */
export function writerName({ jobUid, operatorId, slot, attempt, ports }: SinkContext): string {
  return `millrace-${jobUid}-${operatorId}-${slot}-${attempt}-${ports.rng.id()}`
}

/**
 * Whether a writer of this operator has such a name: `millrace-<job>-<operator>-` and the numbers of the writer. Names in
 * a checkpoint come from whoever wrote it, and what they name is committed or sent. The job may be another one, whose
 * savepoint is continued; ids of operators may contain dashes.
 */
export function isWriterOf(name: string, { jobUid, operatorId }: Pick<SinkContext, 'jobUid' | 'operatorId'>): boolean {
  const own = `millrace-${jobUid}-`
  const rest = name.startsWith(own) ? `-${name.slice(own.length)}` : name.slice('millrace-'.length)
  const at = rest.lastIndexOf(`-${operatorId}-`)
  const isOfOperator = name.startsWith(own) ? at === 0 : name.startsWith('millrace-') && at > 0
  return isOfOperator && /^\d+-\d+-\w+$/.test(rest.slice(at + operatorId.length + 2))
}
