import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MillraceError } from '../../model/errors.ts'
import { MODULES_FOLDER, type ModuleSource } from '../../model/user-module.ts'
import { ownModule } from './own-module.ts'
import type { ModuleExports, ModuleLoader } from '../modules.ts'

/**
 * The module that `import … from 'millrace'` means in a module of the user, wherever that is. In the image modules are
 * bundled.
 */
const API = ownModule('../../front/typescript/millrace.ts', import.meta.url)

const HINTS: Readonly<Record<ModuleSource['kind'], string>> = {
  path: 'a path is that of a file beside the job, for millrace run; in a cluster take a ConfigMap (millrace compile) or an image',
  configMap: 'ConfigMaps are there in a cluster only; write { path: … } to run the job here',
  image: 'the file must be in the image that spec.image names',
}

/** Loads modules by Node's import: TypeScript runs as it is, its types are not looked at. */
export class NodeModules implements ModuleLoader {
  readonly #folder: string

  /** `folder` is where ConfigMaps are mounted. */
  constructor(folder: string = MODULES_FOLDER) {
    this.#folder = folder
  }

  load(name: string, source: ModuleSource, baseDir: string): Promise<ModuleExports> {
    const file = this.#fileOf(name, source, baseDir)
    if (existsSync(file)) return importFile(`module ${name}`, file)
    return Promise.reject(
      new MillraceError('MODULE_UNAVAILABLE', `module ${name}: there is no file ${file}`, {
        domain: 'user',
        hint: HINTS[source.kind],
      }),
    )
  }

  #fileOf(name: string, source: ModuleSource, baseDir: string): string {
    switch (source.kind) {
      case 'path':
        return resolve(baseDir, source.path)
      case 'image':
        return source.path
      case 'configMap':
        return join(this.#folder, name, source.key)
    }
  }
}

/** Runs the file and resolves with its exports. Rejects with MODULE_UNAVAILABLE. */
export async function importFile(what: string, file: string): Promise<ModuleExports> {
  resolveApi()
  if (!existsSync(file)) {
    throw new MillraceError('MODULE_UNAVAILABLE', `${what}: there is no file ${file}`, { domain: 'user' })
  }
  try {
    return (await import(pathToFileURL(file).href)) as ModuleExports
  } catch (cause) {
    throw new MillraceError('MODULE_UNAVAILABLE', `${what} cannot be loaded from ${file}`, { domain: 'user', cause })
  }
}

let isResolved = false

function resolveApi(): void {
  if (isResolved || !existsSync(API)) return
  isResolved = true
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'millrace'
        ? { url: API.href, format: API.pathname.endsWith('.ts') ? 'module-typescript' : 'module', shortCircuit: true }
        : next(specifier, context),
    // `npm init` writes "type": "commonjs", under which Node refuses the imports that every job begins with.
    load: (url, context, next) =>
      next(url, context.format === 'commonjs-typescript' ? { ...context, format: 'module-typescript' } : context),
  })
}
