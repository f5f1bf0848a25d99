import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openFolderObjects } from '../../../../runtime/ports/real/folder-objects.ts'
import { filesWithin } from '../../../../runtime/ports/reached-files.ts'
import { realFiles } from '../../../../runtime/ports/real/files.ts'
import { objectsSuite } from '../../../harness/objects-suite.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-objects-'))
afterAll(() => rmSync(folder, { recursive: true }))

objectsSuite('a folder', () => openFolderObjects(`file://${folder}/root`, realFiles.realPath), {
  listed: 300,
  largeBytes: 20_000_000,
})

test('a link below the root that leads out of what the job may reach is not followed', async () => {
  const reached = join(folder, 'reached')
  const files = filesWithin(realFiles, { files: [reached], secrets: [], addresses: [] })
  const objects = openFolderObjects(reached, files.realPath)
  await objects.put('own', new Uint8Array(1))
  writeFileSync(join(folder, 'secret'), 'secret')
  symlinkSync(join(folder, 'secret'), join(reached, 'link'))
  await expect(objects.read('link', 0, 10)).rejects.toMatchObject({ code: 'FILE_FORBIDDEN' })
  await expect(openFolderObjects(folder, files.realPath).read('secret', 0, 10)).rejects.toMatchObject({
    code: 'FILE_FORBIDDEN',
  })
})
