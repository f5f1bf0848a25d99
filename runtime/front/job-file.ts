import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type Node, type Pair } from 'yaml'
import { kubectlDifferences } from './kubectl-yaml.ts'
import { isFields, type Fields } from '../model/fields.ts'
import { Problems, type Problem } from '../graph/problems.ts'
import { MillraceError, type Position } from '../model/errors.ts'

const LARGEST_FILE = 1 << 20
export const API_VERSION = 'millrace.dev/v1alpha1'

/** A StreamJob as it stands in a YAML file. */
export interface JobFile {
  name: string
  spec: unknown
  /** What is wrong around the spec: apiVersion, metadata, fields that do not belong. */
  problems: readonly Problem[]
  /** Where kubectl would read another job. */
  differences: readonly { at: Position; message: string }[]
  /**
   * The place of a problem: of the field's name when the name is wrong, else of its value, else of what is around
   * it.
   */
  locate(problem: Pick<Problem, 'code' | 'path' | 'position'>): Position
}

/**
 * The StreamJobs of a YAML file; documents of other kinds are passed over. Pure. Throws MillraceError YAML_SYNTAX,
 * FILE_TOO_LARGE or NO_STREAM_JOB with a position.
 */
export function readJobFiles(text: string): JobFile[] {
  if (text.length > LARGEST_FILE)
    throw fileError(
      'FILE_TOO_LARGE',
      `the file has ${text.length} characters, at most ${LARGEST_FILE} are taken`,
      START,
    )
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const jobs: JobFile[] = []
  const kinds: string[] = []
  for (const document of Array.isArray(documents) ? documents : []) {
    const content = contentOf(document, lines)
    if (!isFields(content)) continue
    if (content['kind'] === 'StreamJob') jobs.push(jobOf(content, { document, lines, text }))
    else kinds.push(String(content['kind'] ?? 'something without kind'))
  }
  if (jobs.length > 0) return jobs
  throw fileError(
    'NO_STREAM_JOB',
    kinds.length === 0
      ? 'the file holds no StreamJob, it is empty'
      : `the file holds no StreamJob, only ${kinds.join(', ')}`,
    START,
    `begin with apiVersion: ${API_VERSION} and kind: StreamJob`,
  )
}

/** The one StreamJob of a file. Throws as readJobFiles, and SEVERAL_STREAM_JOBS. */
export function readJobFile(text: string): JobFile {
  const [job, another] = readJobFiles(text)
  if (job !== undefined && another === undefined) return job
  throw fileError(
    'SEVERAL_STREAM_JOBS',
    `the file holds several StreamJobs: "${job?.name ?? ''}" and "${another?.name ?? ''}"`,
    START,
    'put each into a file of its own',
  )
}

const START: Position = { line: 1, column: 1 }

interface Source {
  document: Document
  lines: LineCounter
  text: string
}

function fileError(code: string, message: string, position: Position, hint?: string): MillraceError {
  return new MillraceError(code, message, { domain: 'user', position, ...(hint === undefined ? {} : { hint }) })
}

function contentOf(document: Document, lines: LineCounter): unknown {
  const [error] = document.errors
  if (error !== undefined)
    throw fileError(
      'YAML_SYNTAX',
      error.message,
      positionAt(lines, error.pos[0]),
      isAboutFlow(error.message)
        ? 'within { } and [ ] put quotes around an expression that has commas, brackets or quotes'
        : undefined,
    )
  try {
    return document.toJS()
  } catch (cause) {
    // yaml refuses aliases to nothing and aliases that blow up
    if (cause instanceof ReferenceError) throw fileError('YAML_SYNTAX', cause.message, START)
    throw cause
  }
}

/** Messages that an expression without quotes in a flow mapping leads to. */
function isAboutFlow(message: string): boolean {
  return /flow|Unexpected scalar at node end|Implicit map keys/.test(message)
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

export function checkJobName(name: string, problems: Problems): void {
  if (/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) return
  problems.report(
    'ID_INVALID',
    'metadata.name',
    `the name ${JSON.stringify(name)} goes into pod names`,
    'at most 63 of a-z, 0-9 and -, a letter first, no - at the end',
  )
}

function jobOf(content: Fields, source: Source): JobFile {
  const { value: name, found } = Problems.gather((problems) => {
    if (content['apiVersion'] !== API_VERSION) problems.report('API_VERSION', 'apiVersion', `must be ${API_VERSION}`)
    const metadata = problems.fields(content['metadata'] ?? {}, 'metadata') ?? {}
    const written = problems.text(metadata['name'], 'metadata.name', 253) ?? ''
    if (written !== '') checkJobName(written, problems)
    problems.fields(content, '', ['apiVersion', 'kind', 'metadata', 'spec', 'status'])
    return written
  })
  return {
    name: name ?? '',
    spec: content['spec'],
    problems: found.map((problem) => ({ ...problem, path: problem.path.replace(/^\./, '') })),
    differences: kubectlDifferences(source.document).map(({ offset, message }) => ({
      at: positionAt(source.lines, offset),
      message,
    })),
    locate: (problem) => locate(problem, source),
  }
}

/** Codes that speak about the name of a field, not about what stands behind it. */
const ABOUT_THE_NAME: ReadonlySet<string> = new Set([
  'UNKNOWN_FIELD',
  'UNKNOWN_CONNECTOR',
  'FIELD_NAME_INVALID',
  'DUPLICATE_FIELD',
])

function locate(problem: Pick<Problem, 'code' | 'path' | 'position'>, source: Source): Position {
  let node: unknown = source.document.contents
  let offset = offsetOf(node) ?? 0
  for (const step of stepsOf(problem.path)) {
    const pair = isMap(node) ? node.items.find((item) => keyText(item) === String(step)) : undefined
    node = pair?.value ?? (isSeq(node) ? node.items[Number(step)] : undefined)
    if (pair === undefined && node === undefined) return positionAt(source.lines, offset)
    const keyOffset = offsetOf(pair?.key)
    offset = offsetOf(node) ?? keyOffset ?? offset
    if (
      problem.position === undefined &&
      keyOffset !== undefined &&
      (ABOUT_THE_NAME.has(problem.code) || isMap(node) || isSeq(node))
    )
      offset = keyOffset
  }
  if (problem.position === undefined) return positionAt(source.lines, offset)
  return insideScalar(node, offset, problem.position, source)
}

/** Where line and column of a text stand in the file. Exact unless the text has escapes or is folded. */
function insideScalar(node: unknown, offset: number, inner: Position, source: Source): Position {
  const start = positionAt(source.lines, offset)
  if (!isScalar(node)) return start
  if (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED') {
    const line = start.line + inner.line
    const indent = /^ */.exec(source.text.split('\n')[start.line] ?? '')?.[0].length ?? 0
    return { line, column: indent + inner.column }
  }
  const quote = node.type === 'QUOTE_SINGLE' || node.type === 'QUOTE_DOUBLE' ? 1 : 0
  const written = source.text.slice(offset + quote, node.range?.[1] ?? offset)
  const inText =
    String(node.value)
      .split('\n')
      .slice(0, inner.line - 1)
      .reduce((sum, line) => sum + line.length + 1, 0) +
    inner.column -
    1
  return positionAt(source.lines, offset + quote + Math.min(inText, Math.max(0, written.length)))
}

function offsetOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0]
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key)
}

/** `spec.graph[1].schema["a-b"]` → its steps. The inverse of join. */
export function stepsOf(path: string): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)].map(([, index, quoted, name]) =>
    index !== undefined ? Number(index) : quoted !== undefined ? String(JSON.parse(quoted)) : (name ?? ''),
  )
}
