import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** The commands in the blocks of code below a heading of a page, without their comments. */
export function documentedCommands(page: string, heading: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? ''
  const blocks = [...section.matchAll(/^```\n([^]*?)^```/gm)].map(([, block = '']) => block)
  if (blocks.length === 0) throw new Error(`${page} has no block of code below "${heading}"`)
  return blocks
    .join('')
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '')
}

/** The one that begins so. */
export function documentedCommand(commands: readonly string[], start: string): string {
  const found = commands.filter((command) => command.startsWith(start))
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} commands begin with ${start}`)
  return found[0]
}
