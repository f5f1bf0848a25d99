import { connect, type Socket } from 'node:net'
import { MillraceError } from '../../../model/errors.ts'
import type { Clock } from '../../../ports/clock.ts'
import type { KuduConnectOptions, KuduTls } from '../client.ts'
import { KuduServerError, noTls, unreachable, untrusted } from '../errors.ts'
import { connectionContext, negotiation, requestHeader, responseHeader, rpcError } from '../protocol/messages.ts'
import { decodeMessage, encodeMessage, type AnyMessage, type Values } from '../../kit/protobuf.ts'
import { bodyOf, FrameCutter, frameOf, partsOf } from './frames.ts'
import { NEGOTIATION_CALL, TlsTunnel } from './tls-tunnel.ts'

/** `hrpc`, version 9, no service class, no authentication protocol. */
const PREAMBLE = Buffer.from([0x68, 0x72, 0x70, 0x63, 9, 0, 0])
const CONTEXT_CALL = -3
const STEP = { success: 0, negotiate: 1, initiate: 2 } as const
/** RpcFeatureFlag of src/kudu/rpc/rpc_header.proto. */
const FEATURE = { application: 1, tls: 2 } as const
const CONNECT_MS = 5_000
/** A server that hangs is reported within 15 s; a write that is repeated is carried out once. */
export const CALL_MS = 10_000

export interface KuduCall<Request extends AnyMessage, Answer extends AnyMessage> {
  service: 'kudu.master.MasterService' | 'kudu.tserver.TabletServerService'
  method: string
  request: readonly [Request, Values<Request>]
  answer: Answer
  features?: readonly number[]
  /** Marks a write that may be tried again. */
  requestId?: { clientId: string; seqNo: number; firstIncomplete: number; attemptNo: number }
}

export interface KuduAnswer<Answer> {
  readonly values: Values<Answer>
  readonly sidecars: readonly Buffer[]
}

interface Waiting {
  resolve(body: { body: Buffer; sidecars: readonly Buffer[] }): void
  reject(error: Error): void
}

/**
 * One connection to a master or tablet server, authenticated by the name of the user alone (SASL PLAIN), over TLS or in
 * plain text. Calls are answered in any order. Source: docs/design-docs/rpc.md and Negotiator.java of apache/kudu.
 */
export class KuduConnection {
  readonly #address: string
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #waiting = new Map<number, Waiting>()
  #nextCall = 0
  readonly #frames = new FrameCutter((frame) => {
    this.#frame(frame)
  })
  #tunnel: TlsTunnel | undefined
  #isOpen = true
  /** Why it ended; the first of several reasons. */
  #failure: Error | undefined

  private constructor(address: string, socket: Socket, clock: Clock) {
    this.#address = address
    this.#socket = socket
    this.#clock = clock
    socket.on('data', (bytes: Buffer) => {
      this.#guarded(() => {
        if (this.#tunnel === undefined) this.#frames.take(bytes)
        else this.#tunnel.take(bytes)
      })
    })
    socket.on('error', (error) => {
      this.#fail(error)
    })
    socket.on('close', () => {
      this.#fail(new Error('the connection was closed'))
    })
  }

  /**
   * Rejects with KUDU_UNREACHABLE, KUDU_UNTRUSTED or what the server says against the connection. With `tls` nothing but
   * the first step of the negotiation is ever sent in plain text.
   */
  static async open(
    address: string,
    {
      user,
      tls,
      idleConnections,
    }: Pick<KuduConnectOptions, 'user' | 'idleConnections'> & { tls?: KuduTls | undefined },
    clock: Clock,
  ): Promise<KuduConnection> {
    const [, bracketed = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
    const host = bracketed.replace(/^\[|\]$/g, '')
    const socket = connect({ host, port: Number(port), noDelay: true })
    // calls that wait hold the process by their time limits
    if (idleConnections === 'let it end') socket.unref()
    const connection = new KuduConnection(address, socket, clock)
    const cancel = clock.after(CONNECT_MS, () => {
      connection.#fail(new Error(`no connection within ${CONNECT_MS} ms`))
    })
    try {
      await connection.#negotiate(user, host, tls)
    } catch (error) {
      connection.close()
      throw error
    } finally {
      cancel()
    }
    return connection
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  async call<Request extends AnyMessage, Answer extends AnyMessage>(
    call: KuduCall<Request, Answer>,
  ): Promise<KuduAnswer<Answer>> {
    const callId = this.#nextCall++
    const header = encodeMessage(requestHeader, {
      callId,
      remoteMethod: { service: call.service, method: call.method },
      timeoutMs: CALL_MS,
      requiredFeatures: call.features ?? [],
      requestId: call.requestId,
    })
    const { body, sidecars } = await this.#exchange(callId, header, encodeMessage(...call.request), CALL_MS)
    return { values: decodeMessage(call.answer, body), sidecars }
  }

  close(): void {
    this.#isOpen = false
    this.#tunnel?.close()
    this.#socket.destroy()
  }

  async #negotiate(user: string, host: string, tls: KuduTls | undefined): Promise<void> {
    this.#socket.write(PREAMBLE)
    const offered = await this.#negotiation({
      step: STEP.negotiate,
      features: tls === undefined ? [FEATURE.application] : [FEATURE.application, FEATURE.tls],
      authentication: [{ sasl: {} }],
    })
    if (tls !== undefined) {
      if (offered.features?.includes(FEATURE.tls) !== true) throw noTls(this.#address)
      await this.#encrypt(host, tls)
    }
    const mechanisms = (offered.mechanisms ?? []).map(({ mechanism }) => mechanism)
    if (mechanisms.length > 0 && !mechanisms.includes('PLAIN'))
      throw new MillraceError('KUDU_REFUSED', `the Kudu server ${this.#address} takes ${mechanisms.join(', ')} only`, {
        domain: 'user',
        hint: 'Kerberos is not supported; --rpc_authentication=optional lets users in by their name.',
      })
    await this.#negotiation({
      step: STEP.initiate,
      mechanisms: [{ mechanism: 'PLAIN' }],
      token: Buffer.from(`\0${user}\0`),
    })
    // a call that shares a record of TLS with the context is never seen: the server waits for the socket, and not for
    // what it has decrypted already
    await new Promise<void>((resolve, reject) => {
      const header = encodeMessage(requestHeader, { callId: CONTEXT_CALL })
      this.#send(header, encodeMessage(connectionContext, {}), (error) => {
        if (error) reject(unreachable(this.#address, this.#failure ?? error))
        else resolve()
      })
    })
  }

  async #encrypt(host: string, tls: KuduTls): Promise<void> {
    // the socket has failed in the meantime: a tunnel over it would say nothing
    if (!this.#isOpen) throw unreachable(this.#address, new Error('the connection was closed'))
    const tunnel = new TlsTunnel(this.#socket, host, tls)
    this.#tunnel = tunnel
    tunnel.secure.on('data', (bytes: Buffer) => {
      this.#guarded(() => this.#frames.take(bytes))
    })
    tunnel.secure.on('error', (error) => {
      this.#fail(error)
    })
    try {
      await tunnel.handshake()
    } catch (error) {
      const cause = this.#failure ?? error
      if (cause instanceof KuduServerError) throw cause
      throw tunnel.isTrusted ? unreachable(this.#address, cause) : untrusted(this.#address, cause)
    }
  }

  async #negotiation(values: Values<typeof negotiation>): Promise<Values<typeof negotiation>> {
    const header = encodeMessage(requestHeader, { callId: NEGOTIATION_CALL })
    const { body } = await this.#exchange(NEGOTIATION_CALL, header, encodeMessage(negotiation, values), CONNECT_MS)
    return decodeMessage(negotiation, body)
  }

  #exchange(
    callId: number,
    header: Buffer,
    body: Buffer,
    patienceMs: number,
  ): Promise<{ body: Buffer; sidecars: readonly Buffer[] }> {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) {
        reject(unreachable(this.#address, new Error('the connection was closed')))
        return
      }
      // the server had the time that the call names; a connection that says nothing for so long is dead
      const cancel = this.#clock.after(patienceMs + 2000, () => {
        this.#fail(new Error(`no answer within ${patienceMs + 2000} ms`))
      })
      this.#waiting.set(callId, {
        resolve: (answer) => {
          cancel()
          resolve(answer)
        },
        reject: (error) => {
          cancel()
          reject(error)
        },
      })
      this.#send(header, body)
    })
  }

  #send(header: Buffer, body: Buffer, written?: (error?: Error | null) => void): void {
    const to = this.#tunnel?.secure ?? this.#socket
    to.write(frameOf(header, body), written)
  }

  #guarded(take: () => void): void {
    try {
      take()
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #frame(frame: Buffer): void {
    const { header: headerBytes, body: whole } = partsOf(frame)
    const header = decodeMessage(responseHeader, headerBytes)
    const callId = header.callId ?? NaN
    const waiting = this.#waiting.get(callId)
    if (waiting === undefined) return
    // taken off the list with an answer in hand only: a malformed message ends all calls that wait, this one too
    if (header.isError === true) {
      const { code = 0, message = 'no reason given' } = decodeMessage(rpcError, whole)
      const error = new KuduServerError('rpc', code, undefined, `${this.#address}: ${message}`)
      this.#waiting.delete(callId)
      waiting.reject(error)
      return
    }
    const answer = bodyOf(whole, header.sidecarOffsets ?? [])
    this.#waiting.delete(callId)
    waiting.resolve(answer)
  }

  #fail(cause: Error): void {
    this.#failure ??= cause
    this.close()
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of all) reject(unreachable(this.#address, cause))
  }
}
