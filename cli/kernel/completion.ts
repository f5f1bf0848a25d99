import { builtinConnectors } from '../../runtime/builtin-connectors.ts'
import { ALL_FIELDS, FORM_NAMES, formOf } from '../../runtime/front/list/forms.ts'
import * as api from '../../runtime/front/typescript/millrace.ts'
import type { OptionDescriptions } from '../../runtime/graph/connector-declaration.ts'
import { memberOf, type Fields } from '../../runtime/model/fields.ts'
import { connectorText, optionText } from '../connector-page.ts'
import { languageOf } from './cell-source.ts'
import { cursorContext, type CursorContext } from './cursor-context.ts'

/** A longer text is no cell that somebody types. */
const LONGEST = 100_000
const TOP_FIELDS = ['apiVersion', 'kind', 'metadata', 'spec']

/** The words that fit at the cursor (`complete_reply`), from the declarations that planning reads. `at` counts code points. */
export function completionOf(code: string, at: number): Fields {
  const context = contextAt(code, at)
  const matches = candidates(code, context)
    .filter((name) => name.startsWith(context.begun))
    .toSorted()
  const codePoints = (end: number): number => Array.from(code.slice(0, end)).length
  return {
    status: 'ok',
    matches,
    cursor_start: codePoints(context.start),
    cursor_end: codePoints(context.start + context.begun.length),
    metadata: {},
  }
}

/** The meaning of the word at the cursor (`inspect_reply`). */
export function helpOf(code: string, at: number): Fields {
  const { path, word } = contextAt(code, at)
  const text = code.length > LONGEST || word === '' ? undefined : helpText(path, word)
  if (text === undefined) return { status: 'ok', found: false, data: {}, metadata: {} }
  return { status: 'ok', found: true, data: { 'text/plain': text }, metadata: {} }
}

/** Whether a console should run the text or take another line (`is_complete_reply`): an empty line ends a cell. */
export function isCompleteText(code: string): Fields {
  const last = code.split('\n').at(-1) ?? ''
  if (last.trim() === '') return { status: 'complete' }
  return { status: 'incomplete', indent: /^\s*/.exec(last)?.[0] ?? '' }
}

function contextAt(code: string, at: number): CursorContext {
  const text = code.slice(0, LONGEST)
  return cursorContext(text, Array.from(text).slice(0, at).join('').length)
}

function candidates(code: string, { path }: CursorContext): readonly string[] {
  if (code.length > LONGEST) return []
  const language = languageOf(code)
  if (language === 'typescript') return Object.keys(api)
  const choice = connectorAt(path)
  if (choice !== undefined)
    return choice.inside.length === 0
      ? choice.names
      : Object.keys(optionsAt(choice.options, choice.inside.slice(1)) ?? {})
  const inGraph = graphPath(path, language)
  if (inGraph === undefined) return path.length === 0 ? TOP_FIELDS : []
  return inGraph.length === 0 ? ALL_FIELDS : []
}

/** The path below `spec.graph`; undefined outside of it. */
function graphPath(path: readonly string[], language: 'yaml' | 'graph'): readonly string[] | undefined {
  if (language === 'graph') return path
  return path[0] === 'spec' && path[1] === 'graph' ? path.slice(2) : undefined
}

interface ConnectorPlace {
  /** The connectors that have the role. */
  readonly names: readonly string[]
  /** The names below the role: the connector, then those of its options. */
  readonly inside: readonly string[]
  readonly options: OptionDescriptions | undefined
}

const ROLES: ReadonlyMap<string, 'sources' | 'sinks' | 'tables' | 'deadLetters'> = new Map([
  ['source', 'sources'],
  ['sink', 'sinks'],
  ['lookup', 'tables'],
  ['deadLetter', 'deadLetters'],
])

function connectorAt(path: readonly string[]): ConnectorPlace | undefined {
  const index = path.findIndex((name) => ROLES.has(name))
  const role = ROLES.get(path[index] ?? '')
  if (role === undefined) return undefined
  const inside = path.slice(index + 1)
  const declarations = builtinConnectors[role]
  return { names: Object.keys(declarations), inside, options: memberOf(declarations, inside[0] ?? '')?.options.table }
}

function optionsAt(options: OptionDescriptions | undefined, path: readonly string[]): OptionDescriptions | undefined {
  return path.reduce((inner, name) => (inner === undefined ? undefined : memberOf(inner, name)?.type.fields), options)
}

function helpText(path: readonly string[], word: string): string | undefined {
  const choice = connectorAt(path)
  if (choice === undefined) return verbText(word)
  if (choice.inside.length === 0) {
    const known = builtinConnectors.entries.find(({ declaration }) => declaration.name === word)
    return known === undefined ? undefined : connectorText(known.declaration)
  }
  const option = memberOf(optionsAt(choice.options, choice.inside.slice(1)) ?? {}, word)
  return option === undefined ? undefined : optionText(word, option)
}

function verbText(word: string): string | undefined {
  const form = formOf(word)
  if (form !== undefined) return `${word}: a verb; its entry may have ${form.fields.join(', ')}\nSee docs/job.md.`
  const verbs = FORM_NAMES.filter((name) => formOf(name)?.fields.includes(word))
  return verbs.length === 0 ? undefined : `${word}: a field of ${verbs.join(', ')}\nSee docs/job.md.`
}
