import { connect, type Socket } from 'node:net'
import { MillraceError } from '../../../model/errors.ts'
import type { Clock } from '../../../ports/clock.ts'
import { KuduServerError, unreachable } from '../errors.ts'
import { connectionContext, negotiation, requestHeader, responseHeader, rpcError } from '../protocol/messages.ts'
import { decodeMessage, encodeMessage, type AnyMessage, readVarint, type Values, varint } from '../../kit/protobuf.ts'

/** `hrpc`, version 9, no service class, no authentication protocol. */
const PREAMBLE = Buffer.from([0x68, 0x72, 0x70, 0x63, 9, 0, 0])
const NEGOTIATION_CALL = -33
const CONTEXT_CALL = -3
const STEP = { success: 0, negotiate: 1, initiate: 2 } as const
const APPLICATION_FEATURES = 1
/** Servers send at most `--rpc_max_message_size`, 50 MiB by default. */
const MOST_FRAME_BYTES = 64 * 1024 * 1024
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
 * One connection to a master or tablet server, in plain text, authenticated by the name of the user alone (SASL PLAIN).
 * Calls are answered in any order. Source: docs/design-docs/rpc.md and Negotiator.java of apache/kudu.
 */
export class KuduConnection {
  readonly #address: string
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #waiting = new Map<number, Waiting>()
  #nextCall = 0
  #received: Buffer[] = []
  #receivedBytes = 0
  #wantedBytes = 4
  #isOpen = true

  private constructor(address: string, socket: Socket, clock: Clock) {
    this.#address = address
    this.#socket = socket
    this.#clock = clock
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes)
    })
    socket.on('error', (error) => {
      this.#fail(error)
    })
    socket.on('close', () => {
      this.#fail(new Error('the connection was closed'))
    })
  }

  /** Rejects with KUDU_UNREACHABLE, or with what the server says against the connection. */
  static async open(address: string, user: string, clock: Clock): Promise<KuduConnection> {
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port: Number(port), noDelay: true })
    const connection = new KuduConnection(address, socket, clock)
    const cancel = clock.after(CONNECT_MS, () => {
      connection.#fail(new Error(`no connection within ${CONNECT_MS} ms`))
    })
    try {
      await connection.#negotiate(user)
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
    this.#socket.destroy()
  }

  async #negotiate(user: string): Promise<void> {
    this.#socket.write(PREAMBLE)
    const offered = await this.#negotiation({
      step: STEP.negotiate,
      features: [APPLICATION_FEATURES],
      authentication: [{ sasl: {} }],
    })
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
    this.#send(encodeMessage(requestHeader, { callId: CONTEXT_CALL }), encodeMessage(connectionContext, {}))
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

  #send(header: Buffer, body: Buffer): void {
    const parts = [varint(header.length), header, varint(body.length), body]
    const length = Buffer.alloc(4)
    length.writeUInt32BE(parts.reduce((sum, part) => sum + part.length, 0))
    this.#socket.write(Buffer.concat([length, ...parts]))
  }

  #take(bytes: Buffer): void {
    this.#received.push(bytes)
    this.#receivedBytes += bytes.length
    // most chunks are parts of a large frame: joining them each time would cost the square of its size
    if (this.#receivedBytes < this.#wantedBytes) return
    let all = this.#received.length === 1 ? bytes : Buffer.concat(this.#received)
    try {
      for (;;) {
        if (all.length < 4) break
        const length = all.readUInt32BE(0)
        if (length > MOST_FRAME_BYTES) throw new Error(`a message of ${length} bytes`)
        this.#wantedBytes = length + 4
        if (all.length < this.#wantedBytes) break
        this.#frame(all.subarray(4, this.#wantedBytes))
        all = all.subarray(this.#wantedBytes)
        this.#wantedBytes = 4
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
      return
    }
    this.#received = all.length === 0 ? [] : [all]
    this.#receivedBytes = all.length
  }

  #frame(frame: Buffer): void {
    const input = { bytes: frame, at: 0 }
    const headerBytes = block(input)
    const header = decodeMessage(responseHeader, headerBytes)
    const whole = block(input)
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
    const offsets = header.sidecarOffsets ?? []
    if (offsets.some((offset, index) => offset < (offsets[index - 1] ?? 0) || offset > whole.length))
      throw new Error('sidecars outside of their message')
    this.#waiting.delete(callId)
    waiting.resolve({
      body: whole.subarray(0, offsets[0] ?? whole.length),
      sidecars: offsets.map((offset, index) => whole.subarray(offset, offsets[index + 1] ?? whole.length)),
    })
  }

  #fail(cause: Error): void {
    this.#isOpen = false
    this.#socket.destroy()
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of all) reject(unreachable(this.#address, cause))
  }
}

function block(input: { readonly bytes: Buffer; at: number }): Buffer {
  const length = readVarint(input)
  if (length < 0 || input.at + length > input.bytes.length) throw new Error('a message that ends behind its frame')
  const bytes = input.bytes.subarray(input.at, input.at + length)
  input.at += length
  return bytes
}
