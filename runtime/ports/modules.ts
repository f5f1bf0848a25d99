import type { ModuleSource } from '../model/user-module.ts'

/** What a module exports. */
export type ModuleExports = Readonly<Record<string, unknown>>

/** Loads code of the user into this process. The operator has none. */
export interface ModuleLoader {
  /**
   * Resolves with what the module exports; the same again gives the same. `baseDir` is the folder of the job.
   * Rejects with MODULE_UNAVAILABLE (domain user) when it is not there or throws while it is loaded.
   */
  load(name: string, source: ModuleSource, baseDir: string): Promise<ModuleExports>
}
