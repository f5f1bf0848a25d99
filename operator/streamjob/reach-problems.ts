import type { ConnectorDeclarations, DeclaredOptions, OpenedFile } from '../../runtime/graph/connector-declaration.ts'
import type { JobGraph, OperatorNode } from '../../runtime/graph/job-graph.ts'
import { join, joinRelative, type Problem } from '../../runtime/graph/problems.ts'
import { namedTlsFiles } from '../../runtime/graph/tls-files.ts'
import { isFields } from '../../runtime/model/fields.ts'
import { folderOfGlob, isReached, whyOutOfReach, type Reach } from '../../runtime/model/reach.ts'
import type { StreamJobSpec } from '../api/stream-job.ts'

/**
 * The paths in a sound graph that the job may not open. Links cannot be followed here: the pods look again, at the real
 * path, when they open it.
 */
export function reachProblems(
  spec: StreamJobSpec,
  graph: JobGraph,
  connectors: ConnectorDeclarations,
  reach: Reach,
): Problem[] {
  return graph.operators.flatMap((node) => {
    const at = placeOf(spec, node)
    return openedBy(node, connectors).flatMap(({ path, file, as }) => {
      const folder = file.startsWith('/') ? folderOfGlob(file) : undefined
      if (folder !== undefined && isReached(reach, as, folder)) return []
      return [{ code: 'FILE_FORBIDDEN', path: joinRelative(at, path), ...whyOutOfReach(reach, as, file) }]
    })
  })
}

/** Paths are relative to the operator's entry. */
function openedBy({ verb, onError }: OperatorNode, connectors: ConnectorDeclarations): OpenedFile[] {
  const of = (place: string, options: DeclaredOptions | undefined, written: Readonly<Record<string, unknown>>) =>
    (options?.opens?.(written) ?? []).map((one) => ({ ...one, path: joinRelative(place, one.path) }))
  return [
    ...calledFiles(verb),
    ...(verb.kind === 'source'
      ? of(`source.${verb.connector}`, connectors.sources[verb.connector]?.options, verb.options)
      : []),
    ...(verb.kind === 'sink'
      ? of(`sink.${verb.connector}`, connectors.sinks[verb.connector]?.options, verb.options)
      : []),
    ...(verb.kind === 'lookup' && verb.call.kind === 'table'
      ? of(`join.lookup.${verb.call.connector}`, connectors.tables[verb.call.connector]?.options, verb.call.options)
      : []),
    ...(onError?.kind === 'deadLetter'
      ? of(
          `onError.deadLetter.${onError.connector}`,
          connectors.deadLetters[onError.connector]?.options,
          onError.options,
        )
      : []),
  ]
}

/** Certificates of services that are called. */
function calledFiles(verb: OperatorNode['verb']): OpenedFile[] {
  const [place, { call }] =
    verb.kind === 'asyncMap'
      ? ['asyncMap.http', verb]
      : verb.kind === 'lookup' && verb.call.kind === 'asyncMap'
        ? [`join.lookup.${verb.answer === 'rows' ? 'druid' : 'http'}`, verb.call]
        : ['', { call: undefined }]
  const tls = call?.kind === 'http' ? call.tls : undefined
  return namedTlsFiles(tls ?? {}).map((one) => ({ ...one, path: `${place}.tls.${one.path}` }))
}

function placeOf(spec: StreamJobSpec, { id }: OperatorNode): string {
  const index = spec.graph.findIndex((entry) => isFields(entry) && entry['id'] === id)
  return join('spec.graph', Math.max(0, index))
}
