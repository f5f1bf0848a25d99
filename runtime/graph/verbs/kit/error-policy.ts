import { readConnector, reportOptions } from './connector-choice.ts'
import type { ConnectorDeclarations } from '../../connector-declaration.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { describe, join, type Problems } from '../../problems.ts'

/** What happens to a record that does not parse, lacks its event time, or makes an operator throw. */
export type ErrorPolicy =
  | { kind: 'fail' }
  | { kind: 'skip' }
  | { kind: 'deadLetter'; connector: string; options: Readonly<Record<string, unknown>> }

/** Reads `onError`. Undefined where it is not written, and after reporting. */
export function readErrorPolicy(
  value: unknown,
  path: string,
  connectors: ConnectorDeclarations,
  problems: Problems,
): ErrorPolicy | undefined {
  if (value === undefined) return undefined
  if (value === 'skip' || value === 'fail') return { kind: value }
  if (typeof value === 'string') {
    problems.report(
      'UNKNOWN_VALUE',
      path,
      `${describe(value)} is not an error policy`,
      suggestion(value, ['fail', 'skip', 'deadLetter']),
    )
    return undefined
  }
  const fields = problems.fields(value, path, ['deadLetter'])
  if (fields === undefined) return undefined
  const choice = readConnector(
    fields['deadLetter'],
    join(path, 'deadLetter'),
    connectors.deadLetters,
    'dead letter sink',
    problems,
  )
  if (choice === undefined) return undefined
  reportOptions(connectors.deadLetters[choice.name]?.options.check(choice.options) ?? [], choice.path, problems)
  return { kind: 'deadLetter', connector: choice.name, options: choice.options }
}
