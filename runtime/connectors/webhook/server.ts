import type { TlsMaterial } from '../../ports/tls-material.ts'

/** A request as far as it has come: its body is read when it is asked for. */
export interface WebhookRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** By name, in small letters. */
  header(name: string): string | undefined
  /** Address of the sender. */
  readonly sender: string
  /** The length of the body; undefined where the sender does not say it, or packs the body. */
  readonly bodyBytes: number | undefined
  /**
   * Rejects with BODY_TOO_LARGE above `maxBytes`, as it comes or unpacked, with BODY_UNREADABLE when it is not packed as
   * it says, and with BODY_CUT when the sender goes away or takes too long.
   */
  body(maxBytes: number): Promise<Buffer>
}

export interface WebhookAnswer {
  readonly status: number
  readonly body: object
  /** Seconds. */
  readonly retryAfter?: number
}

export interface WebhookServerOptions {
  readonly host: string
  readonly port: number
  /** Several processes at one address share the port. */
  readonly shared: boolean
  readonly maxConnections: number
  /** From the first byte of a request to its last. */
  readonly timeoutMs: number
  /** Read when it begins to listen and again every minute; undefined: no TLS. */
  readonly tls: (() => Promise<TlsMaterial>) | undefined
}

export interface WebhookServer {
  readonly port: number
  /** Requests under way are answered, then connections are closed. */
  close(): Promise<void>
}

/** Rejects with LISTEN_FAILED. `handle` never rejects. */
export type ListenWebhook = (
  options: WebhookServerOptions,
  handle: (request: WebhookRequest) => Promise<WebhookAnswer>,
) => Promise<WebhookServer>
