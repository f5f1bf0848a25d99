import { isIP, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { decodeMessage, encodeMessage } from '../../kit/protobuf.ts'
import type { KuduTls } from '../client.ts'
import { KuduServerError } from '../errors.ts'
import { negotiation, requestHeader, responseHeader, rpcError } from '../protocol/messages.ts'
import { FrameCutter, frameOf, partsOf } from './frames.ts'

export const NEGOTIATION_CALL = -33
const TLS_HANDSHAKE = 5
/** Record types of TLS begin here; the first byte of a frame, the highest of its length, is always lower. */
const FIRST_RECORD_TYPE = 20

/**
 * TLS as Kudu speaks it: the handshake travels in negotiation messages, everything after it on the bare socket. A server
 * of TLS 1.3 sends its session tickets bare, right behind the handshake. Source: server_negotiation.cc of apache/kudu.
 */
export class TlsTunnel {
  /** Bytes that are written here arrive encrypted. */
  readonly secure: TLSSocket
  readonly #socket: Socket
  readonly #records: Duplex
  readonly #frames = new FrameCutter((frame) => this.#handshakeFrame(frame))
  readonly #certificates: KuduTls['certificates']
  #sends: 'messages' | 'records' = 'messages'
  #receives: 'messages' | 'records' = 'messages'

  /** `socket` has been through the first step of the negotiation; what it receives from now on goes to `take`. */
  constructor(socket: Socket, host: string, { material, certificates }: KuduTls) {
    this.#socket = socket
    this.#certificates = certificates
    this.#records = new Duplex({
      read: () => undefined,
      // all records of one flight go into one message: the server answers each
      writev: (chunks, written) => {
        this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), written)
      },
      write: (chunk: Buffer, _encoding, written) => {
        this.#send(chunk, written)
      },
    })
    this.secure = connectTls({
      ...material,
      socket: this.#records,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: certificates === 'check',
      minVersion: 'TLSv1.2',
    })
  }

  /** False once the certificate of the server was refused. */
  get isTrusted(): boolean {
    return this.#certificates === 'ignore' || (this.secure.authorizationError ?? undefined) === undefined
  }

  /** Resolves when what is written to `secure` goes to the server as records. */
  async handshake(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.secure.once('secureConnect', resolve)
      this.secure.once('error', reject)
      this.secure.once('close', () => {
        reject(new Error('the connection was closed during the TLS handshake'))
      })
    })
    // the last flight of TLS 1.3 is written after the event, and before the promise goes on
    this.#sends = 'records'
  }

  /** Bytes that the socket received. Throws what the server says against the handshake. */
  take(bytes: Buffer): void {
    if (this.#receives === 'records') {
      this.#records.push(bytes)
      return
    }
    const records = this.#frames.take(bytes, (first) => first >= FIRST_RECORD_TYPE)
    if (records === undefined) return
    this.#receives = 'records'
    this.#records.push(records)
  }

  close(): void {
    this.secure.destroy()
  }

  #send(bytes: Buffer, written: (error?: Error | null) => void): void {
    if (this.#sends === 'records') {
      this.#socket.write(bytes, written)
      return
    }
    const header = encodeMessage(requestHeader, { callId: NEGOTIATION_CALL })
    const body = encodeMessage(negotiation, { step: TLS_HANDSHAKE, tlsHandshake: bytes })
    this.#socket.write(frameOf(header, body))
    // at once: what follows before the server answers belongs to the next flight
    written()
  }

  #handshakeFrame(frame: Buffer): void {
    const { header, body } = partsOf(frame)
    if (decodeMessage(responseHeader, header).isError === true) {
      const { code = 0, message = 'no reason given' } = decodeMessage(rpcError, body)
      throw new KuduServerError('rpc', code, undefined, message)
    }
    const { step, tlsHandshake } = decodeMessage(negotiation, body)
    if (step !== TLS_HANDSHAKE) throw new Error(`step ${step} of the negotiation in place of the TLS handshake`)
    if (tlsHandshake !== undefined && tlsHandshake.length > 0) this.#records.push(tlsHandshake)
  }
}
