const POLL_MS = 20

/**
 * Resolves with the first answer of `probe` that is not undefined, asking again and again. Rejects naming `what`
 * when there is none within `limitMs`: a guard against hanging, generous, never a measure.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  limitMs = 60_000,
  pollMs = POLL_MS,
): Promise<T> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const answer = await probe()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain until ${what}`)
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs)
    })
  }
}
