import type { ReaderContext, SourceContext } from '../../runtime/connectors/source.ts'
import type { Schema } from '../../runtime/model/schema.ts'
import type { SourceVerb } from '../../runtime/graph/verbs/source.ts'
import type { Ports } from '../../runtime/ports/ports.ts'
import { createLogger } from '../../runtime/ports/real/logger.ts'
import { builtinStores } from '../../runtime/builtin-stores.ts'
import { realPorts } from '../../runtime/ports/real/ports.ts'

/** Real ports that log errors only and forget what is printed. */
export function quietPorts(): Ports {
  return realPorts({
    stores: builtinStores,
    logger: createLogger({ to: 'stderr', level: 'error' }),
    printLine: () => undefined,
  })
}

/** A source's context over real ports; bad records are collected in `bad`. */
export function sourceContext(parts: {
  verb: Pick<SourceVerb, 'connector'> & Partial<Omit<SourceVerb, 'options'>>
  schema: Schema
  baseDir: string
  ports?: Ports
}): SourceContext & Pick<ReaderContext, 'host' | 'idle'> & { bad: { where: string; reason: string; raw: string }[] } {
  const bad: { where: string; reason: string; raw: string }[] = []
  return {
    job: 'job',
    host: '127.0.0.1',
    idle: (until) => until,
    operatorId: 'source',
    verb: { kind: 'source', ...parts.verb },
    schema: parts.schema,
    ports: parts.ports ?? quietPorts(),
    baseDir: parts.baseDir,
    bad,
    onBadRecord(error, where, raw) {
      bad.push({ where, reason: error.message, raw: Buffer.from(raw as Uint8Array).toString() })
    },
    reportTrouble(error) {
      if (error) throw error
    },
  }
}
