import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PLANTED_BUGS, planted, type PlantedBugName } from './planted-bugs.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

/** From now on this process loads the source with the bug in it. To be called before anything imports the file. */
export function plant(name: PlantedBugName): void {
  const bug = PLANTED_BUGS[name]
  const target = pathToFileURL(resolve(ROOT, bug.file)).href
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      if (loaded.source == null) throw new Error(`${url} was loaded without its source`)
      return { ...loaded, source: planted(bug, String(loaded.source)) }
    },
  })
}
