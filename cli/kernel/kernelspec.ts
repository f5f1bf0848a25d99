import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFields } from '../../runtime/model/fields.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import { ownModule } from '../../runtime/ports/real/own-module.ts'

const NAME = 'millrace'

/** Where Jupyter looks for kernels: in its data folder of this user, or in `share/jupyter` of a prefix. */
export type KernelPlace = { readonly kind: 'user' } | { readonly kind: 'prefix'; readonly prefix: string }

/**
 * Writes the kernel.json with which Jupyter starts this program (jupyter-client docs, "Kernel specs"), and gives the
 * folder. Throws KERNELSPEC_FOREIGN where another program's kernel has the name, and what writing files throws.
 */
export function installKernel(place: KernelPlace): string {
  const folder = folderOf(place)
  checkOwn(folder)
  mkdirSync(folder, { recursive: true })
  const main = fileURLToPath(ownModule('../main.ts', import.meta.url))
  const spec = {
    argv: [process.execPath, main, 'kernel', 'start', '--connection-file', '{connection_file}'],
    display_name: 'Millrace',
    language: 'yaml',
    interrupt_mode: 'message',
    metadata: { millrace: true },
  }
  writeFileSync(join(folder, 'kernel.json'), `${JSON.stringify(spec, null, 2)}\n`)
  return folder
}

/** Removes what `installKernel` has written, and gives the folder. Throws KERNELSPEC_MISSING, KERNELSPEC_FOREIGN. */
export function uninstallKernel(place: KernelPlace): string {
  const folder = folderOf(place)
  if (!existsSync(folder))
    throw new MillraceError('KERNELSPEC_MISSING', `there is no kernel in ${folder}`, {
      domain: 'user',
      hint: 'name the place where it was installed: --user or --prefix DIR',
    })
  checkOwn(folder)
  rmSync(folder, { recursive: true })
  return folder
}

function folderOf(place: KernelPlace): string {
  const data = place.kind === 'user' ? userData() : join(resolve(place.prefix), 'share', 'jupyter')
  return join(data, 'kernels', NAME)
}

/** As `jupyter_core.paths.jupyter_data_dir`. */
function userData(): string {
  const { JUPYTER_DATA_DIR: chosen, XDG_DATA_HOME: share, APPDATA: roaming } = process.env
  if (chosen !== undefined && chosen !== '') return resolve(chosen)
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Jupyter')
  if (process.platform === 'win32') return join(roaming ?? homedir(), 'jupyter')
  return join(share !== undefined && share !== '' ? share : join(homedir(), '.local', 'share'), 'jupyter')
}

function checkOwn(folder: string): void {
  const file = join(folder, 'kernel.json')
  if (!existsSync(folder) || (existsSync(file) && isOwn(readFileSync(file, 'utf8')))) return
  throw new MillraceError('KERNELSPEC_FOREIGN', `${folder} was not written by millrace kernel install`, {
    domain: 'user',
    hint: 'remove it yourself when nobody needs it',
  })
}

function isOwn(text: string): boolean {
  try {
    const spec: unknown = JSON.parse(text)
    return isFields(spec) && isFields(spec['metadata']) && spec['metadata']['millrace'] === true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}
