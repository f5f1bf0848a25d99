/**
 * A module of this program, by its path from `base` (the caller's `import.meta.url`), for a process or a tool that needs
 * a file and not an import. Sources run as .ts; the npm package has the same files as .js.
 */
export function ownModule(path: `${string}.ts`, base: string): URL {
  return new URL(base.endsWith('.js') ? path.replace(/\.ts$/, '.js') : path, base)
}
