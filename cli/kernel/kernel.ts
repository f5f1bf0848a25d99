import type { Fields } from '../../runtime/model/fields.ts'
import { errorReport } from '../../runtime/model/errors.ts'
import { cellError, type CellError } from './cell-messages.ts'
import type { CellOutput, RunningCell } from './cell-runner.ts'
import { isEmptyCell } from './cell-source.ts'
import { completionOf, helpOf, isCompleteText } from './completion.ts'
import type { Channel } from './sockets.ts'
import { type KernelMessage, PROTOCOL_VERSION, textOf } from './wire.ts'

/** The world outside of a kernel. */
export interface KernelIo {
  /** Sends an answer to who sent `request`, at the channel where it came. */
  reply(channel: Channel, request: KernelMessage, type: string, content: Fields): void
  /** Sends to every client; `parent` is the request that led to it. */
  publish(parent: KernelMessage | undefined, type: string, content: Fields): void
  startCell(cell: string, name: string, output: CellOutput): RunningCell
  /** Called once, behind the answer to a request for the shutdown. */
  end(): void
  readonly version: string
}

/** A cell that waits its turn. */
interface Waiting {
  readonly channel: Channel
  readonly request: KernelMessage
}

const MOST_WAITING = 1000

type Handler = (waiting: Waiting) => Promise<void> | void

/**
 * The kernel without its sockets (jupyter-client docs, "Messaging in Jupyter", 5.3): one cell runs at a time, others wait,
 * and every other request is answered at once, so that a stream that never ends holds up nothing but cells.
 */
export class Kernel {
  readonly #io: KernelIo
  readonly #handlers: ReadonlyMap<string, Handler>
  #count = 0
  #waiting: Waiting[] = []
  #running: { readonly request: KernelMessage; readonly cell: RunningCell | undefined } | undefined
  #isEnding = false

  constructor(io: KernelIo) {
    this.#io = io
    const answer =
      (type: string, content: (content: Fields) => Fields): Handler =>
      ({ channel, request }) =>
        io.reply(channel, request, type, content(request.content))
    this.#handlers = new Map<string, Handler>([
      ['kernel_info_request', answer('kernel_info_reply', () => kernelInfo(io.version))],
      ['execute_request', (waiting) => this.#enqueue(waiting)],
      [
        'complete_request',
        answer('complete_reply', ({ code, cursor_pos: at }) => completionOf(textOf(code), numberOf(at))),
      ],
      ['inspect_request', answer('inspect_reply', ({ code, cursor_pos: at }) => helpOf(textOf(code), numberOf(at)))],
      ['is_complete_request', answer('is_complete_reply', ({ code }) => isCompleteText(textOf(code)))],
      ['history_request', answer('history_reply', () => ({ status: 'ok', history: [] }))],
      ['comm_info_request', answer('comm_info_reply', () => ({ status: 'ok', comms: {} }))],
      ['interrupt_request', (waiting) => this.#interruptFor(waiting)],
      ['shutdown_request', (waiting) => this.#shutDown(waiting)],
    ])
  }

  /** Announces itself, as kernels do when they start. */
  start(): void {
    this.#io.publish(undefined, 'status', { execution_state: 'starting' })
  }

  /** Takes a request of a client. Types that are unknown are left unanswered, as the protocol says. */
  take(channel: Channel, request: KernelMessage): void {
    const type = request.header.msg_type
    const handler = this.#handlers.get(type)
    if (handler === undefined || this.#isEnding) return
    // its own status follows it through the queue
    if (type === 'execute_request') {
      void handler({ channel, request })
      return
    }
    this.#status(request, 'busy')
    void handler({ channel, request })
    this.#status(request, 'idle')
    // front ends show the newest status, whichever request it belongs to
    if (this.#running !== undefined) this.#status(this.#running.request, 'busy')
  }

  /** Stops the running cell and discards those that wait. */
  interrupt(): void {
    this.#running?.cell?.interrupt()
    this.#abortWaiting()
  }

  /** Ends the process of the running cell; what waits is discarded. */
  close(): void {
    this.#isEnding = true
    this.#waiting = []
    this.#running?.cell?.kill()
  }

  #interruptFor({ channel, request }: Waiting): void {
    this.interrupt()
    this.#io.reply(channel, request, 'interrupt_reply', { status: 'ok' })
  }

  #shutDown({ channel, request }: Waiting): void {
    const content = { status: 'ok', restart: request.content['restart'] === true }
    this.close()
    this.#io.reply(channel, request, 'shutdown_reply', content)
    this.#io.publish(request, 'shutdown_reply', content)
    this.#io.end()
  }

  #enqueue(waiting: Waiting): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#abort(waiting)
      return
    }
    this.#waiting.push(waiting)
    if (this.#running === undefined) void this.#runWaiting()
  }

  async #runWaiting(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#running = { request: next.request, cell: undefined }
      this.#status(next.request, 'busy')
      await this.#execute(next)
      this.#status(next.request, 'idle')
    }
    this.#running = undefined
  }

  async #execute({ channel, request }: Waiting): Promise<void> {
    const { code, silent, stop_on_error: stopOnError } = request.content
    const text = textOf(code)
    if (silent !== true) this.#count += 1
    const count = this.#count
    if (silent !== true) this.#io.publish(request, 'execute_input', { code: text, execution_count: count })
    const error = isEmptyCell(text) ? undefined : await this.#run(request, text, count)
    if (this.#isEnding) return
    if (error === undefined) {
      const content = { status: 'ok', execution_count: count, user_expressions: {}, payload: [] }
      this.#io.reply(channel, request, 'execute_reply', content)
      return
    }
    const shown = { ename: error.code, evalue: error.message, traceback: error.lines }
    if (silent !== true) this.#io.publish(request, 'error', shown)
    this.#io.reply(channel, request, 'execute_reply', { status: 'error', execution_count: count, ...shown })
    if (stopOnError !== false) this.#abortWaiting()
  }

  async #run(request: KernelMessage, text: string, count: number): Promise<CellError | undefined> {
    try {
      const cell = this.#start(request, text, count)
      this.#running = { request, cell }
      return await cell.ended
    } catch (error) {
      // the folder of the kernel may be gone, and the next cell says so again
      return cellError(errorReport(error))
    }
  }

  #start(request: KernelMessage, text: string, count: number): RunningCell {
    const isShown = request.content['silent'] !== true
    const views = new Set<string>()
    return this.#io.startCell(text, `cell[${count}]`, {
      stream: (name, printed) => {
        if (isShown) this.#io.publish(request, 'stream', { name, text: printed })
      },
      view: (view, data) => {
        if (!isShown) return
        // rows of an earlier run of the cell stay as they are
        const content = { data, metadata: {}, transient: { display_id: `${request.header.msg_id}-${view}` } }
        this.#io.publish(request, views.has(view) ? 'update_display_data' : 'display_data', content)
        views.add(view)
      },
    })
  }

  #abortWaiting(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) this.#abort(one)
  }

  #abort({ channel, request }: Waiting): void {
    this.#status(request, 'busy')
    this.#io.reply(channel, request, 'execute_reply', { status: 'aborted', execution_count: this.#count })
    this.#status(request, 'idle')
  }

  #status(request: KernelMessage, state: 'busy' | 'idle'): void {
    this.#io.publish(request, 'status', { execution_state: state })
  }
}

function kernelInfo(version: string): Fields {
  return {
    status: 'ok',
    protocol_version: PROTOCOL_VERSION,
    implementation: 'millrace',
    implementation_version: version,
    language_info: {
      name: 'yaml',
      version: '1.2',
      mimetype: 'text/x-yaml',
      file_extension: '.yaml',
      pygments_lexer: 'yaml',
      codemirror_mode: 'yaml',
    },
    banner: `Millrace ${version}: a cell is a stream job, a list of operators in YAML or a module in TypeScript.`,
    help_links: [],
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0
}
