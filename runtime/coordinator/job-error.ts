/** The error that a job's report shows: the newest one, until it is over. */
export class JobError {
  current: Error | undefined

  /** A reporter for one thing that may be in trouble: `null` withdraws its own error, and no newer one of others. */
  teller(): (error: Error | null) => void {
    let told: Error | undefined
    return (error) => {
      if (error) this.current = error
      else if (this.current === told) this.current = undefined
      told = error ?? undefined
    }
  }
}
