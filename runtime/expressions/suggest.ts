/** Steps of insert, delete, replace or swap of neighbours between two words (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let steps = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        steps = Math.min(steps, (beforeLast[column - 2] ?? 0) + 1)
      }
      current.push(steps)
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}

/** The candidate nearest to `word`, when it is near enough to have been meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 128) return undefined
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const sameButCase = candidate.toLowerCase() === word.toLowerCase()
    const distance = sameButCase ? 0 : editDistance(word, candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** `did you mean "price"?`, or else what there is: `known here: a, b, c`. Undefined when there is nothing to name. */
export function suggestion(word: string, candidates: Iterable<string>): string | undefined {
  const known = [...candidates]
  const meant = nearest(word, known)
  if (meant !== undefined) return `did you mean "${meant}"?`
  if (known.length === 0) return undefined
  const shown = known.slice(0, 12)
  return `known here: ${shown.join(', ')}${known.length > shown.length ? ', …' : ''}`
}
