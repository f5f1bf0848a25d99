import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')

export interface SourceFile {
  /** From the root of the project, with forward slashes. */
  readonly path: string
  readonly text: string
  /** The same text with comments and the insides of string literals blanked out; lines stay where they are. */
  readonly code: string
}

/** Every .ts file below the given top-level folders. */
export function sourceFiles(...folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .map(sourceFile),
  )
}

/** The file at `path` from the root of the project. */
export function sourceFile(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8')
  return { path, text, code: blankOut(text) }
}

/** Targets of all static and dynamic imports and re-exports, as written. */
export function importsOf(file: SourceFile): string[] {
  const pattern = /\b(?:from|import)\s*\(?\s*(['"])([^'"\n]+)\1/g
  return [...withoutComments(file.text).matchAll(pattern)].map((match) => match[2] ?? '')
}

/** Targets that are loaded together with the file: neither types nor what `import()` loads later. */
export function loadedImportsOf(file: SourceFile): string[] {
  const pattern = /^(?:import|export)\s+(?!type\b)(?:[^'";]*?\bfrom\s+)?(['"])([^'"\n]+)\1/gm
  return [...withoutComments(file.text).matchAll(pattern)].map((match) => match[2] ?? '')
}

// one alternative per kind of token, so that a quote in a comment or a slash in a string does not mislead
const TOKENS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`/g

function blankOut(text: string): string {
  return text.replace(TOKENS, (token) => {
    // code inside of ${} of a template is code
    if (token.startsWith('`') && token.includes('${')) return token
    return token.replace(/[^\n]/g, ' ')
  })
}

function withoutComments(text: string): string {
  return text.replace(TOKENS, (token) => (token.startsWith('/') ? token.replace(/[^\n]/g, ' ') : token))
}

/** "path:line: what" for every match of a pattern in the code of a file. */
export function findInCode(file: SourceFile, pattern: RegExp): string[] {
  return [...file.code.matchAll(pattern)].map((match) => {
    const line = file.code.slice(0, match.index).split('\n').length
    return `${file.path}:${line}: ${match[0].trim()}`
  })
}
