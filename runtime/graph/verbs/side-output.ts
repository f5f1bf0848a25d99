import { aspect } from './kit/aspects.ts'
import { namesText } from './kit/descriptions.ts'
import { parseCondition } from '../../expressions/parse.ts'
import type { Expression } from '../../expressions/ast.ts'
import type { FunctionRef } from '../../model/user-module.ts'
import { readExpressionText } from './kit/expression-text.ts'
import type { Entry } from './entry.ts'
import { describe, join, type Problems } from '../problems.ts'
import type { Input, Surroundings } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { type OrderedMember, readOrderedMembers } from './kit/ordered-members.ts'
import { isFunction, readFunction } from './kit/user-function.ts'

/** Rows go to the first output whose condition they meet, the others on in the main output. */
export interface SideOutputVerb {
  kind: 'sideOutput'
  outputs: readonly SideCondition[]
}

export type SideCondition = { name: string } & ({ condition: Expression } | { function: FunctionRef })

export const sideOutputVerb: VerbDefinition<SideOutputVerb> = {
  word: 'sideOutput',
  entry: {
    forms: { sideOutput: { fields: ['sideOutput'], takes: [] } },
    inputs: 'one stream',
    read: readSideOutput,
    checkForm: () => undefined,
  },
  reads: () => 'all',
  distributes: (_node, before) => before,
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ verb }) => [aspect('sideOutput', verb.outputs, 'binds no state')],
  stage: 'side-output',
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: (verb) => verb.outputs.flatMap((output) => ('function' in output ? [output.function] : [])),
  service: () => undefined,
  describe: ({ verb }) => `side outputs ${namesText(verb.outputs.map(({ name }) => name))}`,
}

const MAX_OUTPUTS = 32

/** `sideOutput: [{ NAME: condition }, …]`; readers say `from: id.NAME`. */
function readSideOutput(entry: Entry, input: Input, { modules }: Surroundings, problems: Problems): ReadOperator {
  const path = join(entry.path, 'sideOutput')
  const members = readOrderedMembers(entry.fields['sideOutput'], path, problems)
  if (members === undefined) return { stream: input }
  const names = members.map(({ name }) => name)
  if (names.length === 0 || names.length > MAX_OUTPUTS) {
    problems.report('TOO_LARGE', path, `has ${names.length} outputs, 1 to ${MAX_OUTPUTS} are taken`)
    return { stream: input }
  }
  const read = members.map((member) => readSide(member, input, modules, problems))
  const outputs = read.filter((output) => output !== undefined)
  const sideOutputs = Object.fromEntries(names.filter(isOutputName).map((name) => [name, input]))
  const isSound = outputs.length === names.length && names.length > 0
  return { stream: input, sideOutputs, ...(isSound ? { verb: { kind: 'sideOutput', outputs } } : {}) }
}

function readSide(
  { name, value, path }: OrderedMember,
  input: Input,
  modules: ReadonlySet<string>,
  problems: Problems,
): SideCondition | undefined {
  if (!checkOutputName(name, path, problems)) return undefined
  if (isFunction(value)) {
    problems.fields(value, path, ['module', 'function'])
    const ref = readFunction(value, path, modules, problems)
    return ref === undefined ? undefined : { name, function: ref }
  }
  const text = readExpressionText(value, path, problems)
  const condition = text === undefined ? undefined : problems.attempt(path, () => parseCondition(text, input.schema))
  return condition === undefined ? undefined : { name, condition }
}

/** The name of a side output stands behind the dot of `from: id.name`. */
export function checkOutputName(name: string, path: string, problems: Problems): boolean {
  if (isOutputName(name)) return true
  problems.report(
    'ID_INVALID',
    path,
    `${describe(name)} cannot be the name of an output`,
    'at most 64 letters, digits, - and _, a letter first',
  )
  return false
}

function isOutputName(name: string): boolean {
  return /^[A-Za-z][-A-Za-z0-9_]{0,63}$/.test(name)
}
