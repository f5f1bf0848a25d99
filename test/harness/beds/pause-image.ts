import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Writes the image of the pod sandbox, `localhost/pause:1`: one layer that holds one static program. A docker
 * archive is a tar of a manifest, a configuration and the layer, so no image tool is needed.
 */
export function writePauseImage(program: string, target: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pause-'))
  try {
    const tar = (file: string, ...names: string[]): void => {
      execFileSync('tar', [
        '--owner=0',
        '--group=0',
        '--numeric-owner',
        '--mtime=@0',
        '-C',
        folder,
        '-cf',
        file,
        ...names,
      ])
    }
    copyFileSync(program, join(folder, 'pause'))
    const layer = join(folder, 'layer.tar')
    tar(layer, 'pause')
    const digest = createHash('sha256').update(readFileSync(layer)).digest('hex')
    const configuration = {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Entrypoint: ['/pause'], User: '65535:65535' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    }
    writeFileSync(join(folder, 'config.json'), JSON.stringify(configuration))
    const manifest = [{ Config: 'config.json', RepoTags: ['localhost/pause:1'], Layers: ['layer.tar'] }]
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
    tar(target, 'manifest.json', 'config.json', 'layer.tar')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
