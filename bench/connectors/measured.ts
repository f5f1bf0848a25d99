/** The cost of one run of a connector: rates by wall time, CPU of this process. */
export interface Measured {
  readonly perSecond: number
  readonly cpuNs: number
}

export async function measured(rows: number, run: () => Promise<void>): Promise<Measured> {
  const cpu = process.cpuUsage()
  const started = performance.now()
  await run()
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: rows / seconds, cpuNs: ((user + system) * 1000) / rows }
}
