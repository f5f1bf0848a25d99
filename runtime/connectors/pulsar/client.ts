import { MillraceError } from '../../model/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Connection } from '../../ports/net.ts'
import type { TlsMaterial } from '../../ports/tls-material.ts'
import { PulsarConnection, type Login } from './connection.ts'
import { PulsarServerError, SERVER_ERROR, unreachable } from './errors.ts'
import { LOOKUP, type Command } from './protocol/commands.ts'
import { pulsarProtocol } from './protocol/frames.ts'
import { hostAndPort } from '../kit/host-and-port.ts'
import { readServiceUrl, type ServiceUrl } from './declared/service-url-option.ts'
import type { PulsarTransport } from './transport.ts'

/** As Pulsar's own clients (maxLookupRedirects). */
const MOST_REDIRECTS = 20

/** A client shows these to a broker; they are read for each connection, so that Secrets may be rotated. */
export interface Credentials {
  readonly tls: TlsMaterial | undefined
  readonly login: Login | undefined
}

/** Where a topic is served: the broker, and what a proxy in front of it is to be told. */
interface Place {
  readonly address: string
  readonly proxyTo?: string
}

/** The brokers of a cluster: looks up which of them serves a topic, and keeps one connection to each. */
export class PulsarClient {
  readonly #url: ServiceUrl
  readonly #transport: PulsarTransport
  readonly #credentials: (address: string) => Promise<Credentials>
  readonly #clock: Clock
  readonly #connections = new Map<string, Promise<PulsarConnection>>()
  #nextId = 1
  #isClosed = false

  /** `credentials` rejects where they may not be shown to the broker at that address. */
  constructor(parts: {
    url: ServiceUrl
    transport: PulsarTransport
    credentials: (address: string) => Promise<Credentials>
    clock: Clock
  }) {
    this.#url = parts.url
    this.#transport = parts.transport
    this.#credentials = parts.credentials
    this.#clock = parts.clock
  }

  get serviceUrl(): string {
    return this.#url.text
  }

  /** For consumers and producers: unique among those of this client. */
  nextId(): number {
    return this.#nextId++
  }

  /** The number of partitions of a topic; 0 for a single topic, also for one that does not exist. */
  async partitions(topic: string): Promise<number> {
    const { partitionsAnswer } = await this.#ask((requestId) => ({ partitions: { topic, requestId } }))
    const { partitions = 0 } = partitionsAnswer ?? {}
    if (partitions < 0 || partitions > MOST_PARTITIONS) throw pulsarProtocol(`a topic of ${partitions} partitions`)
    return partitions
  }

  /** A connection to the broker that serves this topic, which is one partition or a single topic. */
  async serving(topic: string): Promise<PulsarConnection> {
    let asked = await this.#anyBroker()
    let isAuthoritative = false
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const { lookupAnswer } = await asked.request((requestId) => ({ lookup: { topic, requestId, isAuthoritative } }))
      const place = this.#placeOf(lookupAnswer)
      const connection = await this.#connectionTo(place)
      if (lookupAnswer?.answer !== LOOKUP.redirect) return connection
      isAuthoritative = lookupAnswer.isAuthoritative === true
      asked = connection
    }
    throw new PulsarServerError(
      SERVER_ERROR.serviceNotReady,
      `more than ${MOST_REDIRECTS} brokers refer to another one`,
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const open = await Promise.allSettled(this.#connections.values())
    for (const one of open) if (one.status === 'fulfilled') one.value.close()
  }

  async #ask(of: Parameters<PulsarConnection['request']>[0]): Promise<Command> {
    return (await this.#anyBroker()).request(of)
  }

  #placeOf(answer: Command['lookupAnswer']): Place {
    const { brokerUrl, brokerUrlTls, throughServiceUrl } = answer ?? {}
    const named = (this.#url.encrypts ? brokerUrlTls : brokerUrl) ?? ''
    const [address] = readServiceUrl(named)?.addresses ?? []
    if (address === undefined)
      throw pulsarProtocol(
        `a lookup names no ${this.#url.encrypts ? 'encrypted ' : ''}address: ${JSON.stringify(named)}`,
      )
    const [proxy = ''] = this.#url.addresses
    return throughServiceUrl === true ? { address: proxy, proxyTo: address } : { address }
  }

  /** To the first address of the service that answers. */
  async #anyBroker(): Promise<PulsarConnection> {
    let failure: unknown
    for (const address of this.#url.addresses) {
      try {
        return await this.#connectionTo({ address })
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  async #connectionTo(place: Place): Promise<PulsarConnection> {
    const key = `${place.address} ${place.proxyTo ?? ''}`
    const known = this.#connections.get(key)
    const connection = await known
    if (connection?.isOpen === true) return connection
    // another caller may have begun one meanwhile
    const latest = this.#connections.get(key)
    if (latest !== undefined && latest !== known) return latest
    const opening = this.#open(place)
    this.#connections.set(key, opening)
    try {
      return await opening
    } catch (error) {
      if (this.#connections.get(key) === opening) this.#connections.delete(key)
      throw error
    }
  }

  async #open({ address, proxyTo }: Place): Promise<PulsarConnection> {
    if (this.#isClosed) throw closed()
    const { tls } = await this.#credentials(address)
    const connection = await this.#reach(address, tls)
    const opened = await PulsarConnection.open({
      address,
      connection,
      login: async () => (await this.#credentials(address)).login,
      proxyTo,
      clock: this.#clock,
    })
    if (!this.#isClosed) return opened
    opened.close()
    throw closed()
  }

  async #reach(address: string, tls: TlsMaterial | undefined): Promise<Connection> {
    try {
      return await this.#transport(hostAndPort(address), this.#url.encrypts ? (tls ?? {}) : undefined)
    } catch (error) {
      throw unreachable(address, error instanceof MillraceError ? error.cause : error)
    }
  }
}

/** Pulsar's own default limit is none; more are a mistake or an attack. */
const MOST_PARTITIONS = 100_000

function closed(): MillraceError {
  return new MillraceError('PULSAR_CLOSED', 'the connector is closed', { domain: 'platform', retriable: true })
}
