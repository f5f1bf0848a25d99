import { join } from 'node:path'
import { isBinaryExpression, isElementAccessExpression, isFunctionLikeDeclaration } from 'typescript/unstable/ast/is'
import { type Expression, type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast'
import { API, type Project, type Type, TypeFlags } from 'typescript/unstable/sync'
import { ROOT } from './source-files.ts'

/**
 * Types whose members are looked up by names that cannot be foreign: rows have a member for every field of their
 * schema, environments are asked for variables of ours, tables have columns that a generator named.
 */
const OWN_NAMES: readonly string[] = ['Row', 'Environment', 'ProcessEnv', 'KeyTable', 'SignalConstants']

const LITERALS: readonly SyntaxKind[] = [
  SyntaxKind.StringLiteral,
  SyntaxKind.NumericLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
]

/** `object[name]`, or `name in object`. */
interface Lookup {
  file: SourceFile
  node: Node
  object: Expression
  name: Expression
}

/**
 * Where a plain object is read or written by a name that is known at run time only, as `path:line: text`. Such a name may
 * be `constructor`, which every object has. A lookup passes that stands beside `Object.hasOwn` for the same object and
 * name. Paths are relative to the root.
 */
export function stringLookups(isOurs: (path: string) => boolean): string[] {
  const api = new API({ cwd: ROOT })
  try {
    const snapshot = api.updateSnapshot({ openProjects: [join(ROOT, 'tsconfig.json')] })
    const [project] = snapshot.getProjects()
    if (project === undefined) throw new Error('tsconfig.json has no project')
    return lookupsOf(project, isOurs)
  } finally {
    api.close()
  }
}

function lookupsOf({ program, checker }: Project, isOurs: (path: string) => boolean): string[] {
  const lookups = program
    .getSourceFileNames()
    .filter((name) => name.startsWith(`${ROOT}/`) && isOurs(name.slice(ROOT.length + 1)))
    .flatMap((name) => {
      const file = program.getSourceFile(name)
      return file === undefined ? [] : unguarded(file)
    })
  const objects = checker.getTypeAtLocation(lookups.map(({ object }) => object))
  const names = checker.getTypeAtLocation(lookups.map(({ name }) => name))
  const isPlain = (type: Type): boolean =>
    !OWN_NAMES.includes(type.getAliasSymbol()?.name ?? type.getSymbol()?.name ?? '') &&
    checker.getIndexInfosOfType(type).length > 0
  return lookups
    .filter((_, index) => {
      const [object, name] = [objects[index], names[index]]
      return object !== undefined && name !== undefined && isAnyText(name) && isPlain(object)
    })
    .map(({ file, node }) => {
      const line = file.text.slice(0, node.getStart(file)).split('\n').length
      return `${file.fileName.slice(ROOT.length + 1)}:${line}: ${node.getText(file).replaceAll(/\s+/g, ' ')}`
    })
}

function isAnyText(type: Type): boolean {
  return (type.flags & (TypeFlags.String | TypeFlags.TemplateLiteral | TypeFlags.StringMapping)) !== 0
}

function lookupOf(file: SourceFile, node: Node): Lookup | undefined {
  if (isElementAccessExpression(node)) return { file, node, object: node.expression, name: node.argumentExpression }
  if (isBinaryExpression(node) && node.operatorToken.kind === SyntaxKind.InKeyword)
    return { file, node, object: node.right, name: node.left }
  return undefined
}

function unguarded(file: SourceFile): Lookup[] {
  const found: Lookup[] = []
  const visit = (node: Node, around: Node): void => {
    const lookup = lookupOf(file, node)
    if (lookup !== undefined && !LITERALS.includes(lookup.name.kind)) {
      const guard = `Object.hasOwn(${lookup.object.getText(file)}, ${lookup.name.getText(file)})`
      if (!around.getText(file).includes(guard)) found.push(lookup)
    }
    const inside = isFunctionLikeDeclaration(node) ? node : around
    node.forEachChild((child) => {
      visit(child, inside)
      return undefined
    })
  }
  visit(file, file)
  return found
}
