/**
 * What of the rows must be the same in every run: all of it, these fields, or these fields of the last row of each
 * key.
 */
export type Comparison =
  | { kind: 'whole' }
  | { kind: 'fields'; key: readonly string[] }
  | { kind: 'last'; key: readonly string[]; order: string }

/** Sums of fractions differ in their last digits with the order of what was added. */
const DIGITS = 9

/**
 * The output lines as they are to be compared, sorted. A line is a row as JSON, behind the folder of its sink if
 * there are several.
 */
export function comparedLines(lines: readonly string[], comparison: Comparison): string[] {
  const rows = lines.map((line) => {
    const at = line.indexOf('{')
    return {
      sink: line.slice(0, at),
      row: JSON.parse(line.slice(at), (_, value: unknown) => rounded(value)) as Readonly<Record<string, unknown>>,
    }
  })
  if (comparison.kind === 'whole') return rows.map(({ sink, row }) => `${sink}${JSON.stringify(row)}`).sort()
  const { key } = comparison
  const keyed = rows.map(({ sink, row }) => ({
    text: `${sink}${JSON.stringify(key.map((name) => row[name] ?? null))}`,
    row,
  }))
  if (comparison.kind === 'fields') return keyed.map(({ text }) => text).sort()
  const last = new Map<string, unknown>()
  for (const { text, row } of keyed) {
    const order = row[comparison.order] ?? null
    if (!last.has(text) || isAfter(order, last.get(text))) last.set(text, order)
  }
  return [...last].map(([text, order]) => `${text} ${JSON.stringify(order)}`).sort()
}

function rounded(value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value
}

/** Numbers by their size, texts (times among them) by their letters. */
function isAfter(a: unknown, b: unknown): boolean {
  return typeof a === 'number' && typeof b === 'number' ? a > b : String(a) > String(b)
}
