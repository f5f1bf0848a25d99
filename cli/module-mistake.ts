import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { BuildFailure } from 'esbuild'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { foreignKey } from '../runtime/expressions/foreign-words.ts'
import { nearest, suggestion } from '../runtime/expressions/suggest.ts'
import * as api from '../runtime/front/typescript/millrace.ts'
import { KeyedStream, Stream } from '../runtime/front/typescript/stream.ts'
import { describeWithCauses, MillraceError } from '../runtime/model/errors.ts'
import { findingOf, type Finding } from './lint.ts'

interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

interface Mistake {
  readonly place: Place | undefined
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
}

/** Frames of Millrace itself are not where the user made the mistake. */
const OWN_FOLDERS = ['../runtime/', './'].map((folder) => new URL(folder, import.meta.url).href)

/**
 * What is wrong with a job's module that could not be loaded, from what its import threw: at the line of the user's
 * code, in whichever file that is, with what to do about it. `file` is the job as it was named.
 */
export async function moduleMistake(thrown: unknown, file: string): Promise<Finding> {
  const { place, code, message, hint } = await mistakeOf(thrown, resolve(file))
  return findingOf(place === undefined ? file : shownName(place.file, file), place ?? { line: 1, column: 1 }, {
    code,
    path: '',
    message,
    ...(hint === undefined ? {} : { hint }),
  })
}

async function mistakeOf(thrown: unknown, file: string): Promise<Mistake> {
  if (thrown instanceof MillraceError && thrown.code === 'NO_JOB')
    return { place: placeOfExport(file), code: thrown.code, message: thrown.message, hint: thrown.hint }
  if (thrown instanceof MillraceError)
    return { place: placeOfFrame(thrown), code: thrown.code, message: describeWithCauses(thrown), hint: thrown.hint }
  if (!(thrown instanceof Error))
    return {
      place: undefined,
      code: 'MODULE_THROWS',
      message: `the module throws ${describeWithCauses(thrown)}`,
      hint: 'throw an Error: it knows its line',
    }
  const code = 'code' in thrown ? String(thrown.code) : ''
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') return unsupportedSyntax(thrown)
  if (code === 'ERR_INVALID_TYPESCRIPT_SYNTAX')
    return { place: placeOfCaret(thrown), code: 'MODULE_SYNTAX', message: thrown.message }
  const missing = missingImport(thrown)
  if (missing !== undefined) return missing
  if (thrown instanceof SyntaxError && placeOfFrame(thrown) === undefined)
    return { place: await unreadable(file), code: 'MODULE_SYNTAX', message: thrown.message }
  return thrownMistake(thrown)
}

/** Node removes types and changes nothing else, so what TypeScript would generate code for does not run. */
function unsupportedSyntax(thrown: Error): Mistake {
  const what = /TypeScript (.*?) (?:is|are) not supported/.exec(thrown.message)?.[1] ?? 'this syntax'
  return {
    place: placeOfCaret(thrown),
    code: 'TYPESCRIPT_UNSUPPORTED',
    message: `${what} cannot be run: Node removes the types of TypeScript and generates no code for it`,
    hint: Object.entries(INSTEAD).find(([name]) => what.includes(name))?.[1],
  }
}

const INSTEAD: Readonly<Record<string, string>> = {
  enum: "write an object: const Color = { red: 'red', green: 'green' } as const",
  'parameter property': 'declare the field in the class and assign it in the constructor',
  namespace: 'write an object, or a module of its own',
  module: 'write an object, or a module of its own',
  import: "write import … from '…'",
  export: 'write export …',
}

function missingImport(thrown: Error): Mistake | undefined {
  const [, kind, wanted = '', importer = ''] =
    /^(?:Cannot find (package|module)|(Directory) import) '(.*?)'.* imported from (.*)$/
      .exec(thrown.message)
      ?.filter((part, index) => index === 0 || part !== undefined) ?? []
  if (kind !== undefined) {
    const from = importer.startsWith('file:') ? fileURLToPath(importer) : importer
    const { place, specifier } = importOf(from, wanted)
    return {
      place,
      code: 'IMPORT_MISSING',
      message: `there is no ${kind === 'package' ? 'package' : 'file'} "${specifier}"`,
      hint: kind === 'package' ? packageHint(wanted) : fileHint(specifier, wanted),
    }
  }
  const [, source = '', name = ''] =
    /^The requested module '(.*)' does not provide an export named '(.*)'$/.exec(thrown.message) ?? []
  if (name === '') return undefined
  const meant = source === 'millrace' && /^[a-z]/.test(name) ? suggestion(name, Object.keys(api)) : undefined
  return {
    place: placeOfCaret(thrown),
    code: 'IMPORT_MISSING',
    message: `"${source}" exports no ${name}`,
    hint: meant ?? `export it there; if it is a type, it is imported with: import type { ${name} } from '${source}'`,
  }
}

function packageHint(name: string): string {
  return `install it: npm install ${name}; a file of your own begins with ./`
}

/** `path` is where the file was looked for. */
function fileHint(specifier: string, path: string): string {
  const written = [`${path}.ts`, path.replace(/\.js$/, '.ts'), join(path, 'index.ts'), `${path}.js`].find(
    (candidate) => candidate !== path && existsSync(candidate),
  )
  if (written !== undefined)
    return `write '${specifier.slice(0, specifier.lastIndexOf(basename(path)))}${relative(dirname(path), written)}': Node wants the whole name of a file`
  const folder = dirname(path)
  const meant = existsSync(folder) ? nearest(basename(path), readdirSync(folder)) : undefined
  return meant === undefined ? `it would be ${path}` : `did you mean "${meant}"?`
}

/** Where `importer` imports `wanted`, and as which text. A file is wanted by its whole path. */
function importOf(importer: string, wanted: string): { place: Place | undefined; specifier: string } {
  if (!existsSync(importer)) return { place: undefined, specifier: wanted }
  const text = readFileSync(importer, 'utf8')
  for (const found of text.matchAll(/\b(?:from|import)\s*\(?\s*(['"])(.*?)\1/g)) {
    const specifier = found[2] ?? ''
    const isWanted = specifier.startsWith('.')
      ? resolve(dirname(importer), specifier) === resolve(wanted)
      : specifier === wanted || specifier.startsWith(`${wanted}/`)
    if (isWanted)
      return { place: placeAt(importer, text, found.index + found[0].length - specifier.length - 2), specifier }
  }
  return { place: undefined, specifier: wanted }
}

/** V8 says what is wrong and not where; the bundler knows, in the file itself or in what it imports. */
async function unreadable(file: string): Promise<Place | undefined> {
  const { build } = await import('esbuild')
  const settings = {
    entryPoints: [file],
    bundle: true,
    write: false,
    packages: 'external',
    logLevel: 'silent',
  } as const
  const failure: unknown = await build({
    ...settings,
    entryPoints: [file],
    format: 'esm',
    absWorkingDir: dirname(file),
  }).then(
    () => undefined,
    (error: unknown) => error,
  )
  const location = (failure as BuildFailure | undefined)?.errors?.[0]?.location
  if (!location) return undefined
  // its columns are bytes
  const before = Buffer.from(location.lineText).subarray(0, location.column).toString()
  return { file: resolve(dirname(file), location.file), line: location.line, column: before.length + 1 }
}

function thrownMistake(thrown: Error): Mistake {
  const place = placeOfFrame(thrown)
  const unknown = /(?:^|\.)([\w$]+) is not a function$/.exec(thrown.message)?.[1]
  const meant = unknown === undefined ? undefined : verbHint(unknown)
  const kind = thrown.name === 'Error' ? '' : `${thrown.name}: `
  return {
    place,
    code: 'MODULE_THROWS',
    message: `the module throws ${kind}${describeWithCauses(thrown)}`,
    hint: meant ?? hintOfThrown(thrown),
  }
}

function verbHint(unknown: string): string | undefined {
  const meant = nearest(unknown, VERBS)
  return foreignKey(unknown, VERBS) ?? (meant === undefined ? undefined : `did you mean "${meant}"?`)
}

function hintOfThrown({ message }: Error): string {
  return message.startsWith('require is not defined')
    ? "write import … from '…': a job is an ES module"
    : 'the file is run to make the job: what it reads and calls at its top level must be there'
}

/** What streams can do. */
const VERBS: readonly string[] = [Stream, KeyedStream].flatMap((kind) =>
  Object.getOwnPropertyNames(kind.prototype).filter((name) => name !== 'constructor'),
)

/** The innermost frame that is the user's own: not of Millrace, of Node or, if there is another, of a package. */
function placeOfFrame(error: Error): Place | undefined {
  const frames = [...(error.stack ?? '').matchAll(/^ +at .*?(file:\/\/[^\s()]*):(\d+):(\d+)\)?$/gm)]
    .map(([, url = '', line, column]) => ({ url, line: Number(line), column: Number(column) }))
    .filter(({ url }) => !OWN_FOLDERS.some((folder) => url.startsWith(folder)))
  const frame = frames.find(({ url }) => !url.includes('/node_modules/')) ?? frames[0]
  return frame && { file: fileURLToPath(frame.url), line: frame.line, column: frame.column }
}

/**
 * Node puts the place of what it cannot read above the stack: `file:///job.ts:3`, and its lines. Carets stand below one
 * line; several have a `>` before them.
 */
function placeOfCaret({ stack = '' }: Error): Place | undefined {
  const shown = stripVTControlCharacters(stack)
  // a URL or a path, as the folder's package.json has it
  const [, file, line] = /^((?:file:|\/|[A-Za-z]:\\).*):(\d+)$/m.exec(shown) ?? []
  if (file === undefined) return undefined
  const before = /^( *)\^+ *$/m.exec(shown)?.[1] ?? /^ {2}> ( *)\S/m.exec(shown)?.[1] ?? ''
  return {
    file: file.startsWith('file:') ? fileURLToPath(file) : file,
    line: Number(line),
    column: before.length + 1,
  }
}

function placeOfExport(file: string): Place | undefined {
  const text = readFileSync(file, 'utf8')
  const offset = text.search(/^export default\b/m)
  return offset < 0 ? undefined : placeAt(file, text, offset)
}

function placeAt(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset)
  return { file, line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}

/** The job as it was named, and files beside it as they are named from here. */
function shownName(path: string, job: string): string {
  return path === resolve(job) ? job : relative('.', path)
}
