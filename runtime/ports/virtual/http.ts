import { MillraceError } from '../../model/errors.ts'
import type { Http, HttpHandler, HttpRequest, HttpResponse } from '../http.ts'
import type { NetAddress } from '../net.ts'
import type { VirtualWorld } from './world.ts'

const TIMEOUT_MS = 5_000

/** What a request suffers: lost on its way there, its answer lost on the way back, or nothing. */
export type HttpFault = 'before' | 'after' | undefined

/** HTTP under virtual time: whole requests and answers, each taking some milliseconds. */
export class VirtualHttp {
  readonly #world: VirtualWorld
  readonly #servers = new Map<string, { owner: string; handle: HttpHandler }>()
  /** As VirtualNetwork.reaches. */
  reaches: (from: string, to: string) => boolean = () => true
  fault: () => HttpFault = () => undefined

  constructor(world: VirtualWorld) {
    this.#world = world
  }

  /** Servers of one process; the newest one has the address. */
  httpOf(owner: string): Http {
    return {
      serve: (address, handle) => {
        const server = { owner, handle }
        this.#servers.set(keyOf(address), server)
        return Promise.resolve({
          address,
          close: () => {
            if (this.#servers.get(keyOf(address)) === server) this.#servers.delete(keyOf(address))
            return Promise.resolve()
          },
        })
      },
    }
  }

  /** A client's request. Rejects with HTTP_UNREACHABLE, also when it was not answered 5 s after `waitMs`. */
  request(from: string, at: NetAddress, request: HttpRequest, waitMs = 0): Promise<HttpResponse> {
    const patienceMs = waitMs + TIMEOUT_MS
    const fault = this.fault()
    return new Promise((resolve, reject) => {
      const fail = (why: string) => (): void => {
        reject(new MillraceError('HTTP_UNREACHABLE', `${keyOf(at)} ${why}`, { domain: 'platform', retriable: true }))
      }
      this.#world.schedule(from, patienceMs, fail(`did not answer within ${patienceMs} ms`))
      this.#world.schedule('network', this.#delay(), () => {
        const server = this.#servers.get(keyOf(at))
        if (server === undefined || this.#world.isDead(server.owner)) {
          this.#world.schedule(from, 1, fail('refuses connections'))
          return
        }
        if (fault === 'before' || !this.reaches(from, server.owner)) return
        this.#world.schedule(server.owner, 0, () => {
          void server.handle(request).then((response) => {
            this.#world.schedule('network', this.#delay(), () => {
              if (fault === 'after' || !this.reaches(server.owner, from)) return
              this.#world.schedule(from, 0, () => {
                resolve(response)
              })
            })
          })
        })
      })
    })
  }

  #delay(): number {
    return this.#world.random() * 3
  }
}

function keyOf({ host, port }: NetAddress): string {
  return `${host}:${port}`
}
