import type { SinkContext } from '../../runtime/connectors/sink.ts'
import type { Schema } from '../../runtime/model/schema.ts'
import { quietPorts } from './source-context.ts'

/** The first attempt of a sink with one slot, over real ports. */
export function sinkContext(jobUid: string, schema: Schema): SinkContext {
  return {
    jobUid,
    predecessors: [],
    operatorId: 'out',
    slot: 0,
    attempt: 1,
    schema,
    ports: quietPorts(),
    baseDir: '.',
    stopping: new AbortController().signal,
    reportTrouble: () => undefined,
  }
}
