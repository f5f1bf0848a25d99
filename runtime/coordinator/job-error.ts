/** The error that a job's report shows: the newest told, until it is over. */
export class JobError {
  current: Error | undefined

  /** For one thing that may be in trouble: `null` takes back what it told itself, and nothing that was told since. */
  teller(): (error: Error | null) => void {
    let told: Error | undefined
    return (error) => {
      if (error) this.current = error
      else if (this.current === told) this.current = undefined
      told = error ?? undefined
    }
  }
}
