/** What is missing and what is too much, with examples, or undefined when both hold the same lines, each as often. */
export function difference(found: readonly string[], expected: readonly string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const line of expected) counts.set(line, (counts.get(line) ?? 0) + 1)
  for (const line of found) counts.set(line, (counts.get(line) ?? 0) - 1)
  const [missing, surplus] = [[...counts].filter(([, n]) => n > 0), [...counts].filter(([, n]) => n < 0)]
  if (missing.length === 0 && surplus.length === 0) return undefined
  const told = (lines: readonly [string, number][]): string =>
    `${lines.length}${
      lines.length === 0
        ? ''
        : `, as ${lines
            .slice(0, 3)
            .map(([line]) => line)
            .join(' ')}`
    }`
  return `${found.length} rows instead of ${expected.length}; missing ${told(missing)}; too often ${told(surplus)}`
}
