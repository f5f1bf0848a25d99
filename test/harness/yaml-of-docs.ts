import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './source-files.ts'

export interface DocsYaml {
  /** From the root of the repository. */
  file: string
  /** Of the first line of the text, from 1 on. */
  line: number
  text: string
}

/** Every block of YAML in README.md and docs/. */
export function yamlOfDocs(): DocsYaml[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  const files = ['README.md', ...docs.filter((file) => file.endsWith('.md')).map((file) => join('docs', file))]
  return files.flatMap((file) => {
    const markdown = readFileSync(join(ROOT, file), 'utf8')
    return [...markdown.matchAll(/^```yaml\n(.*?)^```/gms)].map((block) => ({
      file,
      line: markdown.slice(0, block.index).split('\n').length + 1,
      text: block[1] ?? '',
    }))
  })
}
