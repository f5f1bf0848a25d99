const UNIT_BYTES = new Map([
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40],
])

/** Bytes of `512Mi` or `1.5Gi`, as Kubernetes writes sizes; undefined for other texts and for none. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti)$/.exec(text)
  const bytes = Math.floor(Number(match?.[1]) * (UNIT_BYTES.get(match?.[2] ?? '') ?? NaN))
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}
