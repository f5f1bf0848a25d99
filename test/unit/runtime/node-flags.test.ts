import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { IMAGE_FLAGS } from '../../../runtime/node-flags.ts'

test('the image starts Node with the flags that are written down for it', () => {
  const dockerfile = readFileSync(join(import.meta.dirname, '../../../Dockerfile'), 'utf8')
  const entry = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]') as string[]
  expect(entry).toEqual(['/usr/local/bin/node', ...IMAGE_FLAGS, '/app/main.mjs'])
})
