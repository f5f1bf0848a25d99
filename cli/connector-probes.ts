import type { Connectors } from '../runtime/connectors/registry.ts'
import type { SourceContext } from '../runtime/connectors/source.ts'
import type { SinkVerb } from '../runtime/graph/verbs/sink.ts'
import type { SourceVerb } from '../runtime/graph/verbs/source.ts'
import type { TableCall } from '../runtime/graph/verbs/join/table-lookup.ts'
import type { OperatorNode } from '../runtime/graph/job-graph.ts'
import { fieldsOf } from '../runtime/model/schema.ts'
import type { Ports } from '../runtime/ports/ports.ts'
import { schemeOf } from '../runtime/ports/store.ts'

/** The surroundings of a look at a system. */
export interface Asked {
  readonly connectors: Connectors
  readonly ports: Ports
  readonly baseDir: string
  /** The name of the job. */
  readonly job: string
  /** Aborted when nobody waits for the answer any more. */
  readonly stopping: AbortSignal
  /** Takes the error of a system that does not answer while it is still being tried. */
  reportTrouble(error: Error | null): void
}

export interface Probe {
  readonly system: string
  /** Resolves with what was found, in a few words. Changes nothing. Absent: the connector cannot be asked so. */
  readonly look: ((asked: Asked) => Promise<string>) | undefined
}

/** How the system behind an operator is looked at; undefined when there is none, or it depends on the rows. */
export async function probeOf(node: OperatorNode, connectors: Connectors): Promise<Probe | undefined> {
  const { verb } = node
  if (verb.kind === 'source') {
    const { discoversWithoutAsking, probe } = await connectors.source(verb.connector, verb.options)
    const look = discoversWithoutAsking === true && probe === undefined ? undefined : sourceLook(node, verb)
    return { system: `source ${verb.connector}`, look }
  }
  if (verb.kind === 'sink') {
    const { probe } = await connectors.sink(verb.connector, verb.options)
    return { system: `sink ${verb.connector}`, look: probe === undefined ? undefined : sinkLook(node, verb) }
  }
  if (verb.kind === 'lookup' && verb.call.kind === 'table')
    return { system: `table of ${verb.call.connector}`, look: tableLook(node, verb.call) }
  return undefined
}

/** How the checkpoint store is looked at: what a run on this machine has left there. */
export function storeProbe(url: string): { readonly system: string; readonly look: NonNullable<Probe['look']> } {
  return {
    system: `store ${schemeOf(url)}`,
    look: async ({ ports, job }) => {
      const { length } = await ports.openStore(url).list(`local/${job}/`)
      return length === 0 ? 'no state of this job' : `${length} ${length === 1 ? 'file' : 'files'} of this job`
    },
  }
}

function sourceLook({ id, schema }: OperatorNode, verb: SourceVerb): Probe['look'] {
  return async ({ connectors, stopping, ...surroundings }) => {
    const source = await connectors.source(verb.connector, verb.options)
    const context: SourceContext = {
      ...surroundings,
      operatorId: id,
      verb,
      schema,
      onBadRecord: (error) => {
        throw error
      },
    }
    if (source.probe !== undefined) return source.probe({ ...context, stopping })
    const enumerator = source.enumerator(context)
    const close = (): void => void enumerator.close()
    stopping.addEventListener('abort', close, { once: true })
    const { length } = await enumerator.discover([], 1)
    return length === 1 ? '1 split' : `${length} splits`
  }
}

function sinkLook({ id, schema }: OperatorNode, verb: SinkVerb): Probe['look'] {
  return async ({ connectors, ...surroundings }) => {
    const sink = await connectors.sink(verb.connector, verb.options)
    return (await sink.probe?.({ ...surroundings, operatorId: id, schema })) ?? 'nothing was asked'
  }
}

function tableLook({ id, schema }: OperatorNode, { connector, options, key, answer }: TableCall): Probe['look'] {
  return async ({ connectors, ...surroundings }) => {
    const fields = fieldsOf(
      schema,
      key.map(({ field }) => field),
    )
    const table = await (await connectors.table(connector, options)).open({
      ...surroundings,
      operatorId: id,
      key: fields.map((field, index) => ({ field, column: key[index]?.column ?? field.name })),
      output: answer,
    })
    await table.close()
    return `found by ${key.map(({ column }) => column).join(', ')}`
  }
}
