import { isAbsolute, join, relative } from 'node:path'
import { MillraceError } from '../../model/errors.ts'

export interface FileSourceOptions { paths: readonly string[]; format: 'json' | 'parquet' }

export interface FileSinkOptions { path: string; timestampFormat: 'iso' | 'epochMillis' }

export interface OptionProblem { path: string; message: string }

type Options = Readonly<Record<string, unknown>>

/** `rate` is checked and carried by the source verb; here it is only known to exist. */
const SOURCE_OPTIONS = ['path', 'paths', 'format', 'rate']
const SINK_OPTIONS = ['path', 'format', 'timestampFormat']

export function sourceProblems(options: Options): OptionProblem[] {
  const problems = unknownOptions(options, SOURCE_OPTIONS)
  const paths = pathsOf(options)
  if ((options['path'] === undefined) === (options['paths'] === undefined)) problems.push({ path: 'path', message: 'exactly one of path and paths is needed' })
  else if (paths === undefined) problems.push({ path: options['path'] === undefined ? 'paths' : 'path', message: 'must be a path or glob, or a list of them' })
  if (options['format'] !== 'json' && options['format'] !== 'parquet') problems.push(choiceProblem('format', options['format'], ['json', 'parquet']))
  return problems
}

export function sinkProblems(options: Options): OptionProblem[] {
  const problems = unknownOptions(options, SINK_OPTIONS)
  if (!isText(options['path'])) problems.push({ path: 'path', message: 'the folder for the part files is needed' })
  const format = options['format'] ?? 'json'
  if (format !== 'json') problems.push(choiceProblem('format', format, ['json']))
  const timestampFormat = options['timestampFormat'] ?? 'iso'
  if (timestampFormat !== 'iso' && timestampFormat !== 'epochMillis') {
    problems.push(choiceProblem('timestampFormat', timestampFormat, ['iso', 'epochMillis']))
  }
  return problems
}

/** Throws OPTIONS_INVALID for options that `sourceProblems` would refuse. */
export function parseSourceOptions(options: Options): FileSourceOptions {
  refuse(sourceProblems(options))
  return { paths: pathsOf(options) ?? [], format: options['format'] === 'parquet' ? 'parquet' : 'json' }
}

/** Throws OPTIONS_INVALID for options that `sinkProblems` would refuse. */
export function parseSinkOptions(options: Options): FileSinkOptions {
  refuse(sinkProblems(options))
  return { path: String(options['path']), timestampFormat: options['timestampFormat'] === 'epochMillis' ? 'epochMillis' : 'iso' }
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

function isText(value: unknown): value is string { return typeof value === 'string' && value !== '' }

export function unknownOptions(options: Options, known: readonly string[]): OptionProblem[] {
  return Object.keys(options).filter((name) => !known.includes(name))
    .map((name) => ({ path: name, message: `unknown option; known are ${known.join(', ')}` }))
}

function choiceProblem(path: string, found: unknown, choices: readonly string[]): OptionProblem {
  return { path, message: `must be ${choices.join(' or ')}, found ${JSON.stringify(found) ?? 'nothing'}` }
}

function refuse(problems: readonly OptionProblem[]): void {
  const [first] = problems
  if (first) throw new MillraceError('OPTIONS_INVALID', `option ${first.path} of a file connector: ${first.message}`, { domain: 'user' })
}
