/**
 * Runs a step whenever it was woken since the last began, one at a time: what is level-triggered forgets no wake
 * and never overlaps.
 */
export class DriveLoop {
  readonly #step: () => Promise<void>
  #running = false
  #again = false

  /** `step` never rejects. */
  constructor(step: () => Promise<void>) {
    this.#step = step
  }

  wake(): void {
    this.#again = true
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#again) {
      this.#again = false
      await this.#step()
    }
    this.#running = false
  }
}
