import { isAbsolute, join, relative } from 'node:path'
import type { FormatProblem, RecordFormat } from '../../formats/format.ts'
import { readFormat } from '../../formats/formats.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'

export interface FileSourceOptions {
  paths: readonly string[]
  format: RecordFormat | 'parquet'
}

export interface FileSinkOptions {
  path: string
  format: RecordFormat
}

export interface OptionProblem {
  path: string
  message: string
}

type Options = Readonly<Record<string, unknown>>

/** `rate` is checked and carried by the source verb; here it is only known to exist. */
const SOURCE_OPTIONS = ['path', 'paths', 'format', 'rate']
const SINK_OPTIONS = ['path', 'format', 'timestampFormat']

export function sourceProblems(options: Options): OptionProblem[] {
  const problems = unknownOptions(options, SOURCE_OPTIONS)
  const paths = pathsOf(options)
  if ((options['path'] === undefined) === (options['paths'] === undefined))
    problems.push({ path: 'path', message: 'exactly one of path and paths is needed' })
  else if (paths === undefined)
    problems.push({
      path: options['path'] === undefined ? 'paths' : 'path',
      message: 'must be a path or glob, or a list of them',
    })
  if (options['format'] !== 'parquet') problems.push(...fileFormat(options['format'], 'iso').problems)
  return problems
}

export function sinkProblems(options: Options): OptionProblem[] {
  const problems = unknownOptions(options, SINK_OPTIONS)
  if (!isText(options['path'])) problems.push({ path: 'path', message: 'the folder for the part files is needed' })
  problems.push(...fileFormat(options['format'] ?? 'json', 'iso').problems)
  const timestampFormat = options['timestampFormat'] ?? 'iso'
  if (timestampFormat !== 'iso' && timestampFormat !== 'epochMillis') {
    problems.push(choiceProblem('timestampFormat', timestampFormat, ['iso', 'epochMillis']))
  }
  return problems
}

/** Throws OPTIONS_INVALID for options that `sourceProblems` would refuse. */
export function parseSourceOptions(options: Options): FileSourceOptions {
  refuse(sourceProblems(options))
  return {
    paths: pathsOf(options) ?? [],
    format: options['format'] === 'parquet' ? 'parquet' : fileFormat(options['format'], 'iso').format,
  }
}

/** Throws OPTIONS_INVALID for options that `sinkProblems` would refuse. */
export function parseSinkOptions(options: Options): FileSinkOptions {
  refuse(sinkProblems(options))
  return {
    path: String(options['path']),
    format: fileFormat(
      options['format'] ?? 'json',
      options['timestampFormat'] === 'epochMillis' ? 'epochMillis' : 'iso',
    ).format,
  }
}

/** What of the schema the format of the options cannot carry; the options have passed. */
export function schemaProblems(options: Options, schema: Schema): OptionProblem[] {
  if (options['format'] === 'parquet') return []
  return fileFormat(options['format'] ?? 'json', 'iso')
    .format.check(schema)
    .map(underFormat)
}

function fileFormat(
  value: unknown,
  timestampFormat: 'iso' | 'epochMillis',
): { format: RecordFormat; problems: OptionProblem[] } {
  const { format, problems } = readFormat(value, { timestampFormat })
  if (problems.length > 0) return { format, problems: problems.map(underFormat) }
  return {
    format,
    problems:
      format.file === undefined
        ? [{ path: 'format', message: 'this format does not tell the records of a file apart; it is for Kafka' }]
        : [],
  }
}

function underFormat({ path, message }: FormatProblem): OptionProblem {
  return { path: path === '' ? 'format' : `format.${path}`, message }
}

export function resolvePath(baseDir: string, path: string): string {
  return isAbsolute(path) ? path : join(baseDir, path)
}

/** The stable name of a file in split ids: relative to the job where it can be, so that a moved job restores. */
export function stableName(baseDir: string, path: string): string {
  const name = relative(baseDir, path)
  return name.startsWith('..') || isAbsolute(name) ? path : name
}

function pathsOf(options: Options): readonly string[] | undefined {
  const given = options['paths'] ?? options['path']
  const paths: readonly unknown[] = Array.isArray(given) ? given : [given]
  return paths.length > 0 && paths.every(isText) ? paths : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

export function unknownOptions(options: Options, known: readonly string[]): OptionProblem[] {
  return Object.keys(options)
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: name, message: `unknown option; known are ${known.join(', ')}` }))
}

function choiceProblem(path: string, found: unknown, choices: readonly string[]): OptionProblem {
  return { path, message: `must be ${choices.join(' or ')}, found ${JSON.stringify(found) ?? 'nothing'}` }
}

function refuse(problems: readonly OptionProblem[]): void {
  const [first] = problems
  if (first)
    throw new MillraceError('OPTIONS_INVALID', `option ${first.path} of a file connector: ${first.message}`, {
      domain: 'user',
    })
}
