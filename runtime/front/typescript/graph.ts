/** Any function of the user, or an object of them. */
export type UserCode = object

/** An operator as the API builds it: an entry of the graph list, its inputs still objects. */
export interface GraphNode {
  readonly id: string
  readonly from: readonly NodeOutput[]
  readonly fields: Readonly<Record<string, unknown>>
  /** Functions that the fields name, by those names. */
  readonly functions: Readonly<Record<string, UserCode>>
  /** Types that were written down here and are found out when the job is checked: both must say the same. */
  readonly declares?: Readonly<Record<string, string>>
}

/** What comes out of an operator: its main output, or the named side output. */
export interface NodeOutput {
  readonly node: GraphNode
  readonly output?: string
}

/** The name of the module in which the functions of a job lie: the job's own file. */
export const JOB_MODULE = 'job'

/** A field of an entry that names a function of the job's own module. */
export function ownFunction(name: string): { module: string; function: string } {
  return { module: JOB_MODULE, function: name }
}

/** Every operator from which the sinks get their rows, each once, inputs before those who read them. */
export function nodesOf(sinks: readonly GraphNode[]): GraphNode[] {
  const ordered = new Set<GraphNode>()
  const visit = (node: GraphNode): void => {
    if (ordered.has(node)) return
    for (const input of node.from) visit(input.node)
    ordered.add(node)
  }
  sinks.forEach(visit)
  return [...ordered]
}

/** The entry of the graph list. */
export function entryOf({ id, from, fields }: GraphNode): Readonly<Record<string, unknown>> {
  const names = from.map(({ node, output }) => (output === undefined ? node.id : `${node.id}.${output}`))
  return { id, ...(names.length === 0 ? {} : { from: names.length === 1 ? names[0] : names }), ...fields }
}
