/** Lets one waiter sleep until somebody raises; a raise before the wait is kept. */
export class Signal {
  #raised = false
  #wake: (() => void) | undefined

  raise(): void {
    this.#raised = true
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  async wait(): Promise<void> {
    if (!this.#raised)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    this.#raised = false
  }
}
