import { posix } from 'node:path'
import { importsOf, type SourceFile } from './source-files.ts'

export interface Edge {
  readonly from: string
  readonly to: string
}

/** Pairs of a file and the project file it imports. */
export function importEdges(files: readonly SourceFile[], targetsOf = importsOf): Edge[] {
  return files.flatMap((file) =>
    targetsOf(file)
      .filter((target) => target.startsWith('.'))
      .map((target) => ({ from: file.path, to: beside(file, target) })),
  )
}

/**
 * Pairs of a file and what it names in a string: a program that it starts, a file or a folder that it reads. A string
 * counts when it is one of `paths`, from the root of the project or from the file's folder. A folder of one of `paths`
 * counts when the string begins with a dot, or is joined to the root or to the file's folder. A placeholder in a path
 * stands for any name.
 */
export function namedEdges(files: readonly SourceFile[], paths: readonly string[]): Edge[] {
  const known = { files: new Set(paths), folders: new Set(paths.flatMap(foldersOf)) }
  return files.flatMap((file) => {
    const named = [...literalPaths(file, known), ...joinedPaths(file, known), ...templatePaths(file, paths)]
    return [...new Set(named)].map((to) => ({ from: file.path, to }))
  })
}

/** `a/b` and `a` of `a/b/c.ts`. */
export function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
}

/** Every path that one of `entries` leads to, themselves included. */
export function reachedFrom(entries: Iterable<string>, edges: readonly Edge[]): ReadonlySet<string> {
  const targets = Map.groupBy(edges, ({ from }) => from)
  const reached = new Set(entries)
  for (const path of reached) for (const { to } of targets.get(path) ?? []) reached.add(to)
  return reached
}

const beside = (file: SourceFile, target: string): string => posix.join(posix.dirname(file.path), target)

interface Known {
  readonly files: ReadonlySet<string>
  readonly folders: ReadonlySet<string>
}

const LITERAL = /(['"`])((?:\.{0,2}\/)?[\w@.-]+(?:\/[\w@.-]+)*\/?)\1/g

function literalPaths(file: SourceFile, known: Known): string[] {
  return [...file.text.matchAll(LITERAL)].flatMap(([, , text = '']) => {
    const mayBeFolder = text.startsWith('./') || text.startsWith('../')
    return [beside(file, text), posix.normalize(text)]
      .map((path) => path.replace(/\/$/, ''))
      .filter((path) => known.files.has(path) || (mayBeFolder && known.folders.has(path)))
  })
}

const TEMPLATE = /`(\.{1,2}\/[^`\n]*\$\{[\w.]+\}[^`\n]*)`/g

function templatePaths(file: SourceFile, paths: readonly string[]): string[] {
  return [...file.text.matchAll(TEMPLATE)].flatMap(([, template = '']) => {
    const parts = beside(file, template).split(/\$\{[\w.]+\}/)
    const pattern = new RegExp(`^${parts.map((part) => RegExp.escape(part)).join('[^/]+')}$`)
    return paths.filter((path) => pattern.test(path))
  })
}

const JOINED = /\b(?:join|resolve)\(\s*(ROOT|import\.meta\.dirname)((?:,\s*(['"])[^'"]*\3)+)/g
const READ_AS_SOURCE = /\bsourceFiles\(((?:\s*(['"])[^'"]*\2,?)+)\s*\)/g

function joinedPaths(file: SourceFile, known: Known): string[] {
  const joined = [...file.text.matchAll(JOINED)].map(([, base, parts = '']) =>
    base === 'ROOT' ? posix.join(...strings(parts)) : beside(file, posix.join(...strings(parts))),
  )
  const read = [...file.text.matchAll(READ_AS_SOURCE)].flatMap(([, folders = '']) => strings(folders))
  return [...joined, ...read].filter((path) => known.files.has(path) || known.folders.has(path))
}

const strings = (list: string): string[] => [...list.matchAll(/(['"])([^'"]*)\1/g)].map(([, , text = '']) => text)
