import { MillraceError } from '../../model/errors.ts'

/**
 * What the connections of a slot hold of records that have not ended. Each is bounded by the size of a record, and all
 * together by `most`: anybody may open connections and send the beginnings of records.
 */
export class HeldBytes {
  readonly #most: number
  readonly #shares = new Map<HeldShare, number>()
  #total = 0

  constructor(most: number) {
    this.#most = most
  }

  get total(): number {
    return this.#total
  }

  /** `onTaken` is called when the share is given up because there is no room for all. */
  share(onTaken: (error: Error) => void): HeldShare {
    const share: HeldShare = {
      holds: (bytes) => {
        if (this.#shares.has(share)) this.#set(share, bytes)
      },
      end: () => {
        this.#set(share, 0)
        this.#shares.delete(share)
      },
      onTaken,
    }
    this.#shares.set(share, 0)
    return share
  }

  #set(share: HeldShare, bytes: number): void {
    this.#total += bytes - (this.#shares.get(share) ?? 0)
    this.#shares.set(share, bytes)
    while (this.#total > this.#most) this.#takeLargest()
  }

  /** Honest senders hold little for long. */
  #takeLargest(): void {
    const [largest, bytes] = [...this.#shares].reduce((one, other) => (other[1] > one[1] ? other : one))
    largest.end()
    largest.onTaken(
      new MillraceError(
        'FLOOD',
        `${bytes} bytes of a record that has not ended are held, and all connections have ${this.#most}`,
        {
          domain: 'dependency',
        },
      ),
    )
  }
}

/** The share of one connection. */
export interface HeldShare {
  /** So much is held now. May end the share, or that of another connection. */
  holds(bytes: number): void
  end(): void
  onTaken(error: Error): void
}
