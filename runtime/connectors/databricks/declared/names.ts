import { textOf } from '../../kit/option-types.ts'

/** Unity Catalog allows no dot, space, slash or control character in a name; a backquote would end the quoting. */
const NAME = '[^.`/\\s\\u0000-\\u001f\\u007f]{1,255}'

/** A table by the names of its catalog, schema and itself. */
export const tableName = textOf('table as catalog.schema.table', new RegExp(`^${NAME}\\.${NAME}\\.${NAME}$`, 'u'))

/** A folder of a volume. Nothing in it has to be quoted, in a statement or an address. */
export const volumePath = textOf(
  'folder of a volume as /Volumes/catalog/schema/volume/folder, of letters, digits, "_", "-" and "."',
  /^\/Volumes(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+){3,}$/,
)

/** Warehouses have ids of hex digits; the address that the workspace shows for one ends with it. */
export const warehouseId = textOf('warehouse id, as in 1234567890abcdef', /^[A-Za-z0-9]{1,64}$/)
