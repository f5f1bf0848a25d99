/** Where the text of a user's module comes from; only the processes that run the job ever load it. */
export type ModuleSource =
  /** A file beside the job; relative to its folder. */
  | { kind: 'path'; path: string }
  /** A key of a ConfigMap in the job's namespace, mounted into its pods. */
  | { kind: 'configMap'; name: string; key: string }
  /** A file of the job's own image. */
  | { kind: 'image'; path: string }

/** A function of the user, by the module's name in `spec.modules` and the name it is exported by. */
export interface FunctionRef {
  module: string
  function: string
}

/** The folder inside pods in which modules of ConfigMaps lie, each in a folder of its name. */
export const MODULES_FOLDER = '/etc/millrace/modules'
