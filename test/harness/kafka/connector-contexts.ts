import type { RowScanner, RowWriter } from '../../../runtime/codegen/contracts.ts'
import type { ReaderContext } from '../../../runtime/connectors/source.ts'
import type { SinkContext } from '../../../runtime/connectors/sink.ts'
import type { Ports } from '../../../runtime/ports/ports.ts'
import type { Row, Schema } from '../../../runtime/model/schema.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'

export const EVENT_SCHEMA: Schema = {
  fields: [
    { name: 'n', type: 'long', nullable: false },
    { name: 'name', type: 'string', nullable: false },
  ],
}

/** A slow plain scanner: what the connector does must not depend on how rows are scanned. */
export function plainScanner(): RowScanner {
  return {
    row(bytes, start, end) {
      try {
        return JSON.parse(bytes.toString('utf8', start, end)) as Row
      } catch (cause) {
        throw new MillraceError('RECORD_INVALID', 'no JSON', { domain: 'user', cause })
      }
    },
  }
}

export const plainWriter = (): RowWriter => ({
  encodeInto(row, buffer, at) {
    const value = Buffer.from(JSON.stringify(row))
    if (at + value.length > buffer.length) return -1
    return value.copy(buffer, at)
  },
})

export interface Reported {
  bad: { where: string; raw: string }[]
  trouble: (Error | null)[]
}

export function sourceContext(ports: Ports): ReaderContext & { reported: Reported } {
  const reported: Reported = { bad: [], trouble: [] }
  return {
    job: 'job',
    host: '127.0.0.1',
    idle: (until) => until,
    operatorId: 'in',
    verb: { kind: 'source', connector: 'kafka' },
    schema: EVENT_SCHEMA,
    ports,
    baseDir: '.',
    slot: 0,
    parallelism: 1,
    reported,
    onBadRecord: (_error, where, raw) => {
      reported.bad.push({ where, raw: typeof raw === 'string' ? raw : Buffer.from(raw).toString() })
    },
    reportTrouble: (error) => {
      reported.trouble.push(error)
    },
  }
}

export function sinkContext(
  ports: Ports,
  which: Partial<Pick<SinkContext, 'jobUid' | 'predecessors' | 'slot' | 'attempt' | 'stopping'>> = {},
): SinkContext & { reported: Reported } {
  const reported: Reported = { bad: [], trouble: [] }
  return {
    jobUid: which.jobUid ?? 'job-1',
    predecessors: which.predecessors ?? [],
    operatorId: 'out',
    slot: which.slot ?? 0,
    attempt: which.attempt ?? 1,
    schema: EVENT_SCHEMA,
    ports,
    baseDir: '.',
    stopping: which.stopping ?? new AbortController().signal,
    reported,
    reportTrouble: (error) => {
      reported.trouble.push(error)
    },
  }
}
