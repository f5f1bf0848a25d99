import type { Entry } from './entry.ts'
import { aspect } from './kit/aspects.ts'
import { functionText } from './kit/descriptions.ts'
import { readExpressionText, checkSyntax } from './kit/expression-text.ts'
import { expressionFields, withFields } from './kit/field-names.ts'
import { isFunction, readFunction } from './kit/user-function.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { join, type Problems } from '../problems.ts'
import type { Input, Surroundings } from '../stream.ts'
import type { Expression } from '../../expressions/ast.ts'
import { parseCondition } from '../../expressions/parse.ts'
import type { FunctionRef } from '../../model/user-module.ts'

export interface FilterVerb {
  kind: 'filter'
  condition: Expression
}

/** A function of the user instead of an expression. */
export interface UserFilterVerb {
  kind: 'userFilter'
  function: FunctionRef
}

export const filterVerb: VerbDefinition<FilterVerb> = {
  word: 'filter',
  entry: {
    forms: { filter: { fields: ['filter'], takes: [] } },
    inputs: 'one stream',
    read: readFilter,
    checkForm: (entry, _around, problems) => {
      const value = entry.fields['filter']
      if (!isFunction(value)) checkSyntax(value, join(entry.path, 'filter'), problems)
    },
  },
  reads: ({ verb }, wanted) => withFields(wanted, expressionFields(verb.condition)),
  distributes: (_node, before) => before,
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ verb }) => [aspect('filter', verb.condition, 'binds no state')],
  stage: undefined,
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: () => 'filter',
}

export const userFilterVerb: VerbDefinition<UserFilterVerb> = {
  word: 'filter',
  entry: undefined,
  reads: () => 'all',
  distributes: (_node, before) => before,
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ verb }) => [aspect('filter', verb.function, 'binds no state')],
  stage: undefined,
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: (verb) => [verb.function],
  service: () => undefined,
  describe: ({ verb }) => `filter by ${functionText(verb.function)}`,
}

/** `filter: condition`, or `filter: { module, function }`. */
function readFilter(entry: Entry, input: Input, { modules }: Surroundings, problems: Problems): ReadOperator {
  const path = join(entry.path, 'filter')
  const value = entry.fields['filter']
  if (isFunction(value)) {
    problems.fields(value, path, ['module', 'function'])
    const ref = readFunction(value, path, modules, problems)
    return ref === undefined ? { stream: input } : { stream: input, verb: { kind: 'userFilter', function: ref } }
  }
  const text = readExpressionText(value, path, problems)
  if (text === undefined) return { stream: input }
  const condition = problems.attempt(path, () => parseCondition(text, input.schema))
  return condition === undefined ? { stream: input } : { stream: input, verb: { kind: 'filter', condition } }
}
