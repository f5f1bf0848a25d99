/** A binary heap of (time, group, hash) in typed columns, the earliest time first; 16 bytes an entry and no objects. */
export class TimerHeap {
  size = 0
  #times = new Float64Array(16)
  #groups = new Int32Array(16)
  #hashes = new Int32Array(16)

  /** The time of the earliest entry; there must be one. */
  get time(): number {
    return this.#times[0] ?? Infinity
  }
  get group(): number {
    return this.#groups[0] ?? 0
  }
  get hash(): number {
    return this.#hashes[0] ?? 0
  }

  push(time: number, group: number, hash: number): void {
    if (this.size === this.#times.length) this.#grow()
    let i = this.size++
    while (i > 0) {
      const up = (i - 1) >> 1
      if ((this.#times[up] ?? 0) <= time) break
      this.#copy(up, i)
      i = up
    }
    this.#put(i, time, group, hash)
  }

  pop(): void {
    const last = --this.size
    const time = this.#times[last] ?? 0
    let i = 0
    for (let down = 1; down < last; down = i * 2 + 1) {
      if (down + 1 < last && (this.#times[down + 1] ?? 0) < (this.#times[down] ?? 0)) down++
      if ((this.#times[down] ?? 0) >= time) break
      this.#copy(down, i)
      i = down
    }
    this.#put(i, time, this.#groups[last] ?? 0, this.#hashes[last] ?? 0)
  }

  clear(): void {
    this.size = 0
  }

  #copy(from: number, to: number): void {
    this.#put(to, this.#times[from] ?? 0, this.#groups[from] ?? 0, this.#hashes[from] ?? 0)
  }

  #put(i: number, time: number, group: number, hash: number): void {
    this.#times[i] = time
    this.#groups[i] = group
    this.#hashes[i] = hash
  }

  #grow(): void {
    const length = this.size * 2
    const [times, groups, hashes] = [new Float64Array(length), new Int32Array(length), new Int32Array(length)]
    times.set(this.#times)
    groups.set(this.#groups)
    hashes.set(this.#hashes)
    this.#times = times
    this.#groups = groups
    this.#hashes = hashes
  }
}
