import type { KuduBed } from './kudu-bed.ts'

export interface TableShape {
  /** By name, as `kudu table create` takes them: `INT64`, `STRING?`, `DECIMAL(18,2)`, `VARCHAR(10)?`. */
  readonly columns: Readonly<Record<string, string>>
  readonly keys: readonly string[]
  readonly hash?: readonly {
    readonly columns: readonly string[]
    readonly num_buckets: number
    readonly seed?: number
  }[]
  /** Upper bounds, exclusive, of ranges of one column. */
  readonly range?: { readonly column: string; readonly bounds: readonly (readonly [from: string, to: string])[] }
  readonly replicas?: number
}

/** Makes a table with Kudu's own command. */
export async function createKuduTable(bed: KuduBed, name: string, shape: TableShape): Promise<void> {
  const { columns, keys, hash = [], range, replicas = 1 } = shape
  const partition = {
    ...(hash.length === 0 ? {} : { hash_partitions: hash }),
    range_partition:
      range === undefined
        ? { columns: [] }
        : {
            columns: [range.column],
            range_bounds: range.bounds.map(([from, to]) => ({
              lower_bound: { bound_type: 'inclusive', bound_values: [from] },
              upper_bound: { bound_type: 'exclusive', bound_values: [to] },
            })),
          },
  }
  const table = {
    table_name: name,
    schema: {
      columns: Object.entries(columns).map(([column, type]) => columnOf(column, type)),
      key_column_names: keys,
    },
    partition,
    num_replicas: replicas,
  }
  await bed.command('table', 'create', bed.masters, JSON.stringify(table))
}

function columnOf(column_name: string, written: string): object {
  const [, column_type = '', attributes, nullable] = /^(\w+)(?:\(([\d,]+)\))?(\?)?$/.exec(written) ?? []
  const [first, second] = (attributes ?? '').split(',').map(Number)
  return {
    column_name,
    column_type,
    is_nullable: nullable !== undefined,
    ...(attributes === undefined
      ? {}
      : { type_attributes: second === undefined ? { length: first } : { precision: first, scale: second } }),
  }
}

/**
 * The rows as `kudu table scan` prints them, sorted: `(int64 key=1, string name="x")`. By default it asks the closest
 * replica, which may be behind when its server has just started: leaders have everything.
 */
export async function scanKuduTable(bed: KuduBed, name: string): Promise<string[]> {
  const output = await bed.command('table', 'scan', bed.masters, name, '--replica_selection=LEADER')
  return output
    .split('\n')
    .filter((line) => line.startsWith('('))
    .sort()
}
