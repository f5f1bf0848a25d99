import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { ProbeSpec } from './pod-model.ts'

export interface ProbeResult {
  isSuccess: boolean
  message: string
}

/**
 * Asks once. HTTP succeeds with 200 to 399, TCP when the connection opens; whatever else happens is a failure with
 * its reason.
 */
function probeOnce(probe: ProbeSpec, podIp: string): Promise<ProbeResult> {
  const { target } = probe
  const timeoutMs = probe.timeoutSeconds * 1000
  switch (target.kind) {
    case 'http':
      return probeHttp(target, target.host ?? podIp, timeoutMs)
    case 'tcp':
      return probeTcp(target.host ?? podIp, target.port, timeoutMs)
    case 'unsupported':
      return Promise.resolve({
        isSuccess: false,
        message: 'only httpGet and tcpSocket probes are supported by the embedded node',
      })
  }
}

function probeHttp(
  target: Extract<ProbeSpec['target'], { kind: 'http' }>,
  host: string,
  timeoutMs: number,
): Promise<ProbeResult> {
  const send = target.scheme === 'HTTPS' ? httpsRequest : httpRequest
  return new Promise((resolve) => {
    const request = send(
      {
        host,
        port: target.port,
        path: target.path,
        timeout: timeoutMs,
        agent: false,
        headers: { 'user-agent': 'kube-probe/millrace', connection: 'close' },
        // As the kubelet does: a probe asks whether the process lives, not whom its certificate names.
        rejectUnauthorized: false,
      },
      (response) => {
        response.resume()
        const code = response.statusCode ?? 0
        resolve({ isSuccess: code >= 200 && code < 400, message: `HTTP probe failed with statuscode: ${code}` })
      },
    )
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('error', (error) =>
      resolve({ isSuccess: false, message: `Get "http://${host}:${target.port}${target.path}": ${error.message}` }),
    )
    request.end()
  })
}

function probeTcp(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs })
    const finish = (result: ProbeResult): void => {
      socket.destroy()
      resolve(result)
    }
    socket.on('connect', () => finish({ isSuccess: true, message: '' }))
    socket.on('timeout', () =>
      finish({ isSuccess: false, message: `dial tcp ${host}:${port}: no answer within ${timeoutMs} ms` }),
    )
    socket.on('error', (error) => finish({ isSuccess: false, message: `dial tcp ${host}:${port}: ${error.message}` }))
  })
}

/** Repeats a probe and reports when it has succeeded or failed as often in a row as its thresholds want. */
export class ProbeLoop {
  readonly #probe: ProbeSpec
  readonly #podIp: string
  readonly #onVerdict: (result: ProbeResult) => void
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  #successes = 0
  #failures = 0
  #quickTries = 0
  #hasSucceeded = false

  /** `onVerdict` is called at every result that stands at or beyond its threshold. */
  constructor(probe: ProbeSpec, podIp: string, onVerdict: (result: ProbeResult) => void) {
    this.#probe = probe
    this.#podIp = podIp
    this.#onVerdict = onVerdict
    // A first try soon, then quick ones until the first success, so that starting does not wait a whole period.
    this.#plan(Math.max(probe.initialDelaySeconds * 1000, 50))
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #plan(delayMs: number): void {
    this.#timer = setTimeout(() => {
      void this.#round()
    }, delayMs)
  }

  async #round(): Promise<void> {
    const result = await probeOnce(this.#probe, this.#podIp)
    if (this.#isStopped) return
    const isStarting = this.#isRefusedEarly(result)
    this.#hasSucceeded ||= result.isSuccess
    this.#successes = result.isSuccess ? this.#successes + 1 : 0
    if (!isStarting) this.#failures = result.isSuccess ? 0 : this.#failures + 1
    if (
      result.isSuccess
        ? this.#successes >= this.#probe.successThreshold
        : this.#failures >= this.#probe.failureThreshold
    )
      this.#onVerdict(result)
    if (!this.#isStopped) this.#plan(isStarting ? 100 : this.#probe.periodSeconds * 1000)
  }

  /** Quick tries while the process still starts do not count as failures: at most one period's worth of them. */
  #isRefusedEarly(result: ProbeResult): boolean {
    if (result.isSuccess || this.#hasSucceeded || this.#quickTries * 100 >= this.#probe.periodSeconds * 1000)
      return false
    this.#quickTries++
    return true
  }
}
