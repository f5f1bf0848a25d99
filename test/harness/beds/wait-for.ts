/**
 * Asks again and again until `condition` gives true; throws with `describe()` when that takes longer than
 * `timeoutMs`.
 */
export async function waitFor(
  what: string,
  timeoutMs: number,
  condition: () => Promise<boolean>,
  describe: () => string = () => '',
): Promise<void> {
  const until = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > until) throw new Error(`${what} after ${timeoutMs / 1000} s: still not so\n${describe()}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** GETs a loopback URL: its body when it answers 200 in time, else undefined (also when nobody listens). */
export async function bodyIfOk(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(3000) })
    const body = await response.text()
    return response.status === 200 ? body : undefined
  } catch (error) {
    if (error instanceof Error) return undefined // refused, reset or timed out: what waiting for a start looks like
    throw error
  }
}
