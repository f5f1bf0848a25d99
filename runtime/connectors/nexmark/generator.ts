import { DEFAULT_EVENTS_PER_SECOND } from './declaration.ts'

/**
 * The deterministic Nexmark generator: event n depends only on n and the event rate, so any slot can produce any
 * event, and the events are bit-identical to those of our Flink baseline (same PRNG, tables and order of draws).
 * Kind by n % 50: 0 person, 1–3 auction, 4–49 bid. After nexmark/nexmark (Apache Beam's suite) with a table for prices.
 */
const NEXMARK_START = 1_436_918_400_000

export interface Person {
  kind: 'person'
  id: number
  name: string
  email: string
  creditCard: string
  city: string
  state: string
  dateTime: number
  extra: string
}

export interface Auction {
  kind: 'auction'
  id: number
  itemName: string
  description: string
  initialBid: number
  reserve: number
  dateTime: number
  expires: number
  seller: number
  category: number
  extra: string
}

export interface Bid {
  kind: 'bid'
  auction: number
  bidder: number
  price: number
  channel: string
  url: string
  dateTime: number
  extra: string
}

const EXTRA_LENGTH = 1 << 20
const STATES = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY']
const CITIES = [
  'Phoenix',
  'Los Angeles',
  'San Francisco',
  'Boise',
  'Portland',
  'Bend',
  'Redmond',
  'Seattle',
  'Kent',
  'Cheyenne',
]
const FIRST_NAMES = ['Peter', 'Paul', 'Luke', 'John', 'Saul', 'Vicky', 'Kate', 'Julie', 'Sarah', 'Deiter', 'Walter']
const LAST_NAMES = ['Shultz', 'Abrams', 'Spencer', 'White', 'Bartels', 'Walton', 'Smith', 'Jones', 'Noris']
const HOT_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple']
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz']

export class NexmarkGenerator {
  readonly #eventsPerSecond: number
  /** State of the PRNG; seeded afresh for every event. */
  #state = 0x0c0ffee1
  readonly #prices = new Float64Array(1025)
  readonly #digits: string[] = []
  readonly #extra: string
  readonly #hotUrls: string[]
  readonly #channels: string[] = []
  readonly #urls: string[] = []

  constructor(eventsPerSecond: number = DEFAULT_EVENTS_PER_SECOND) {
    this.#eventsPerSecond = eventsPerSecond
    let price = 100.0
    for (let index = 0; index < 1025; index++) {
      this.#prices[index] = Math.floor(price)
      price *= 1.0135831333340657
    }
    for (let index = 0; index < 10_000; index++) this.#digits.push(String(index).padStart(4, '0'))
    const extra = Buffer.alloc(EXTRA_LENGTH)
    for (let index = 0; index < EXTRA_LENGTH; index++) extra[index] = 97 + this.#draw(26)
    this.#extra = extra.toString('latin1')
    this.#hotUrls = [0, 1, 2, 3].map(() => flat(this.#baseUrl()))
    for (let index = 0; index < 10_000; index++) {
      this.#channels.push(`channel-${index}`)
      const url = this.#baseUrl()
      this.#urls.push(flat(this.#draw(10) > 0 ? `${url}&channel_id=${Math.abs(reverseBits(index))}` : url))
    }
  }

  event(n: number): Person | Auction | Bid {
    switch (kindOf(n)) {
      case 'bid':
        return this.#bid(n)
      case 'auction':
        return this.#auction(n)
      case 'person':
        return this.#person(n)
    }
  }

  timeOf(n: number): number {
    return NEXMARK_START + Math.floor((n * 1000) / this.#eventsPerSecond)
  }

  #bid(n: number): Bid {
    this.#seed(n)
    const auction = (this.#draw(2) > 0 ? hundreds(lastAuction(n)) : this.#anyAuction(n)) + 1000
    const bidder = (this.#draw(4) > 0 ? hundreds(lastPerson(n)) + 1 : this.#anyPerson(n)) + 1000
    const price = this.#price()
    let channel: string
    let url: string
    if (this.#draw(2) > 0) {
      const index = this.#draw(4)
      channel = HOT_CHANNELS[index] ?? ''
      url = this.#hotUrls[index] ?? ''
    } else {
      const index = this.#draw(10_000)
      channel = this.#channels[index] ?? ''
      url = this.#urls[index] ?? ''
    }
    return { kind: 'bid', auction, bidder, price, channel, url, dateTime: this.timeOf(n), extra: this.#filler(32, 100) }
  }

  #auction(n: number): Auction {
    this.#seed(n)
    const dateTime = this.timeOf(n)
    const id = lastAuction(n) + 1000
    const seller = (this.#draw(4) > 0 ? hundreds(lastPerson(n)) : this.#anyPerson(n)) + 1000
    const category = 10 + this.#draw(5)
    const initialBid = this.#price()
    const horizon = this.timeOf(n + 1666) - dateTime
    const expires = dateTime + 1 + this.#draw(Math.max(horizon * 2, 1))
    const itemName = this.#words(20, ' ')
    const description = this.#words(100, ' ')
    const reserve = initialBid + this.#price()
    const extra = this.#filler(48 + itemName.length + description.length, 500)
    return {
      kind: 'auction',
      id,
      itemName,
      description,
      initialBid,
      reserve,
      dateTime,
      expires,
      seller,
      category,
      extra,
    }
  }

  #person(n: number): Person {
    this.#seed(n)
    const id = lastPerson(n) + 1000
    const name = `${pick(FIRST_NAMES, this.#draw(11))} ${pick(LAST_NAMES, this.#draw(9))}`
    const email = `${this.#words(7, ' ')}@${this.#words(5, ' ')}.com`
    const digits = (): string => pick(this.#digits, this.#draw(10_000))
    const creditCard = `${digits()} ${digits()} ${digits()} ${digits()}`
    const city = pick(CITIES, this.#draw(10))
    const state = pick(STATES, this.#draw(6))
    const extra = this.#filler(8 + name.length + email.length + creditCard.length + city.length + state.length, 200)
    return { kind: 'person', id, name, email, creditCard, city, state, dateTime: this.timeOf(n), extra }
  }

  #seed(n: number): void {
    this.#state = mix((n | 0) ^ mix((Math.floor(n / 4_294_967_296) + 0x9e3779b9) | 0))
  }

  /** Uniform in [0, below); exact for below < 2^21. */
  #draw(below: number): number {
    return Math.floor((this.#next() * below) / 4_294_967_296)
  }

  #next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    return mix(this.#state) >>> 0
  }

  /** Log-uniform from 100 to 10^8. */
  #price(): number {
    const bits = this.#next()
    const index = bits >>> 22
    const low = this.#prices[index] ?? 0
    return low + Math.floor((((this.#prices[index + 1] ?? 0) - low) * ((bits >>> 12) & 1023)) / 1024)
  }

  #words(max: number, special: string): string {
    const length = 3 + this.#draw(max - 3)
    let text = ''
    for (let index = 0; index < length; index++) {
      const letter = this.#draw(338)
      text += letter < 26 ? special : pick(LETTERS, letter % 26)
    }
    return text.trim()
  }

  #baseUrl(): string {
    return `https://www.nexmark.com/${this.#words(5, '_')}/${this.#words(5, '_')}/${this.#words(5, '_')}/item.htm?query=1`
  }

  /** Text that brings an event of `current` bytes to about `average`. */
  #filler(current: number, average: number): string {
    if (current > average) return ''
    const missing = average - current
    const spread = Math.floor((2 * missing + 5) / 10)
    const length = missing - spread + (spread === 0 ? 0 : this.#draw(2 * spread))
    const offset = this.#draw(EXTRA_LENGTH - length)
    return this.#extra.substring(offset, offset + length)
  }

  #anyPerson(n: number): number {
    const count = lastPerson(n) + 1
    const active = Math.min(count, 1000)
    return count - active + this.#draw(active + 10)
  }

  #anyAuction(n: number): number {
    const last = lastAuction(n)
    const first = Math.max(last - 100, 0)
    return first + this.#draw(last - first + 11)
  }
}

/** V8 keeps what was joined as a tree, and would walk it again for every row that is encoded. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** What event n is. */
export function kindOf(n: number): 'bid' | 'auction' | 'person' {
  const phase = n % 50
  return phase >= 4 ? 'bid' : phase >= 1 ? 'auction' : 'person'
}

/** The lowbias32 mixer. */
function mix(value: number): number {
  let z = value
  z ^= z >>> 16
  z = Math.imul(z, 0x21f0aaad)
  z ^= z >>> 15
  z = Math.imul(z, 0x735a2d97)
  z ^= z >>> 15
  return z | 0
}

function reverseBits(value: number): number {
  let rest = value
  let reversed = 0
  for (let bit = 0; bit < 32; bit++) {
    reversed = (reversed << 1) | (rest & 1)
    rest >>>= 1
  }
  return reversed | 0
}

function lastPerson(n: number): number {
  return Math.floor(n / 50)
}

function lastAuction(n: number): number {
  const epoch = Math.floor(n / 50)
  const phase = n % 50
  if (phase < 1) return (epoch - 1) * 3 + 2
  return epoch * 3 + (phase >= 4 ? 2 : phase - 1)
}

function hundreds(value: number): number {
  return value - (value % 100)
}

function pick(texts: readonly string[], index: number): string {
  return texts[index] ?? ''
}
