import type { Clock } from './clock.ts'
import type { Files, SecretFiles } from './files.ts'
import type { HttpClient } from './http-client.ts'
import type { ModuleLoader } from './modules.ts'
import type { Net } from './net.ts'
import type { Objects } from './objects.ts'
import type { Rng } from './rng.ts'
import type { OpenScratchFile } from './scratch.ts'
import type { Store } from './store.ts'
import type { Logger } from './logger.ts'

/** Everything a coordinator or worker needs from outside its process. Connectors bring their own clients. */
export interface Ports {
  clock: Clock
  rng: Rng
  /** Connections between the processes of the job. */
  net: Net
  /** Connections with all others, in plain text. On a cluster they reject with HTTP_FORBIDDEN where a job has no business. */
  plainNet: Net
  files: Files
  secretFiles: SecretFiles
  logger: Logger
  /** Calls services that a job asks. */
  httpClient: HttpClient
  /** Loads the modules a job names. */
  modules: ModuleLoader
  /** Opens the store named in the job (`s3://…`, `file:///…`, or a plain path). Throws MillraceError STORE_UNSUPPORTED. */
  openStore(url: string): Store
  /**
   * Opens the storage that a connector names (`s3://bucket/prefix?endpoint=…`, `file:///…` or a plain path), as far as
   * the job may reach it. Throws OBJECTS_UNSUPPORTED or OBJECTS_URL_INVALID (domain user).
   */
  openObjects(url: string): Objects
  /** For state that does not fit into memory. */
  openScratchFile: OpenScratchFile
  /** Where the console sink prints, one line without its end. */
  printLine(line: string, sink: string): void
}
