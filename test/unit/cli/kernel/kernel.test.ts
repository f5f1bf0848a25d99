import { expect, test } from 'vitest'
import { cellError, type CellError } from '../../../../cli/kernel/cell-messages.ts'
import type { CellOutput } from '../../../../cli/kernel/cell-runner.ts'
import { Kernel } from '../../../../cli/kernel/kernel.ts'
import type { KernelMessage } from '../../../../cli/kernel/wire.ts'
import { until } from '../../../harness/until.ts'

interface StartedCell {
  readonly text: string
  readonly name: string
  readonly output: CellOutput
  readonly signals: string[]
  end(error?: CellError): void
}

/** A kernel whose cells end when the test says so. */
class KernelBed {
  /** `id type state` of everything that was sent, in order. */
  readonly sent: string[] = []
  readonly contents: Record<string, unknown>[] = []
  readonly cells: StartedCell[] = []
  ended = 0
  startFails = false
  readonly kernel = new Kernel({
    reply: (_, { header }, type, content) => this.#record(header.msg_id, type, content),
    publish: (parent, type, content) => this.#record(parent?.header.msg_id ?? '-', type, content),
    startCell: (text, name, output) => {
      if (this.startFails) throw new Error('ENOENT: no folder')
      const { promise, resolve } = Promise.withResolvers<CellError | undefined>()
      const signals: string[] = []
      this.cells.push({ text, name, output, signals, end: resolve })
      return { ended: promise, interrupt: () => signals.push('interrupt'), kill: () => signals.push('kill') }
    },
    end: () => {
      this.ended += 1
    },
    version: 'v0',
  })

  #record(id: string, type: string, content: Record<string, unknown>): void {
    const state = content['execution_state'] ?? content['status']
    this.sent.push([id, type, state].filter((part) => part !== undefined).join(' '))
    this.contents.push(content)
  }

  take(id: string, type: string, content: Record<string, unknown> = {}): void {
    const header = { msg_id: id, msg_type: type, session: 's', username: '', date: '', version: '5.3' }
    const message: KernelMessage = { identities: [], header, parentHeader: {}, metadata: {}, content }
    this.kernel.take('shell', message)
  }

  replies(): string[] {
    return this.sent.filter((one) => one.includes('_reply'))
  }
}

/** Waits for what follows from promises that are settled. */
const soon = (holds: () => boolean): Promise<unknown> =>
  until('the kernel has gone on', () => (holds() ? true : undefined))

const RUN = { code: '- id: a' }

test('when cells are sent while one runs, they run one after the other', async () => {
  const bed = new KernelBed()
  bed.take('a', 'execute_request', RUN)
  bed.take('b', 'execute_request', RUN)
  await soon(() => bed.cells.length === 1)
  bed.cells[0]?.end()
  await soon(() => bed.cells.length === 2)
  bed.cells[1]?.end()
  await soon(() => bed.sent.at(-1) === 'b status idle')
  expect(bed.sent).toEqual([
    ...['a status busy', 'a execute_input', 'a execute_reply ok', 'a status idle'],
    ...['b status busy', 'b execute_input', 'b execute_reply ok', 'b status idle'],
  ])
  expect(bed.cells.map(({ name }) => name)).toEqual(['cell[1]', 'cell[2]'])
})

test('when something is asked while a cell runs, it is answered at once and the kernel shows as busy behind it', () => {
  const bed = new KernelBed()
  bed.take('a', 'execute_request', RUN)
  bed.sent.length = 0
  bed.take('q', 'kernel_info_request')
  expect(bed.sent).toEqual(['q status busy', 'q kernel_info_reply ok', 'q status idle', 'a status busy'])
})

test('when a cell fails, those that wait are not run, unless it said that they should be', async () => {
  const error = cellError({ code: 'STOPPED', message: 'the job was stopped' })
  const bed = new KernelBed()
  for (const id of ['a', 'b', 'c']) bed.take(id, 'execute_request', RUN)
  bed.cells[0]?.end(error)
  await soon(() => bed.replies().length === 3)
  expect(bed.replies()).toEqual(['a execute_reply error', 'b execute_reply aborted', 'c execute_reply aborted'])
  const other = new KernelBed()
  for (const id of ['a', 'b']) other.take(id, 'execute_request', { ...RUN, stop_on_error: false })
  other.cells[0]?.end(error)
  await soon(() => other.cells.length === 2)
})

test('when a cell is interrupted, it is asked to end and what waits is not run', () => {
  const bed = new KernelBed()
  bed.take('a', 'execute_request', RUN)
  bed.take('b', 'execute_request', RUN)
  bed.take('i', 'interrupt_request')
  expect(bed.cells[0]?.signals).toEqual(['interrupt'])
  expect(bed.replies()).toEqual(['b execute_reply aborted', 'i interrupt_reply ok'])
})

test('when a view changes, it is shown once and updated under the id of this run', () => {
  const bed = new KernelBed()
  bed.take('a', 'execute_request', RUN)
  for (const text of ['1', '2']) bed.cells[0]?.output.view('table-out', { 'text/plain': text })
  expect(bed.sent.slice(-2)).toEqual(['a display_data', 'a update_display_data'])
  expect(bed.contents.slice(-2)).toMatchObject([
    { data: { 'text/plain': '1' }, transient: { display_id: 'a-table-out' } },
    { data: { 'text/plain': '2' }, transient: { display_id: 'a-table-out' } },
  ])
})

test('when a cell is silent, it is not counted and shows nothing', async () => {
  const bed = new KernelBed()
  bed.take('a', 'execute_request', { ...RUN, silent: true })
  bed.cells[0]?.output.stream('stdout', 'x')
  bed.cells[0]?.output.view('v', {})
  bed.cells[0]?.end(cellError({ code: 'C', message: 'm' }))
  await soon(() => bed.sent.at(-1) === 'a status idle')
  expect(bed.sent).toEqual(['a status busy', 'a execute_reply error', 'a status idle'])
  expect(bed.contents[1]).toMatchObject({ execution_count: 0, ename: 'C' })
})

test('when a cell is empty, it ends without a process', async () => {
  const bed = new KernelBed()
  bed.take('a', 'execute_request', { code: '# nothing' })
  await soon(() => bed.sent.at(-1) === 'a status idle')
  expect(bed.replies()).toEqual(['a execute_reply ok'])
  expect(bed.cells).toEqual([])
})

test('when a cell cannot be started, it fails and the next one is tried', async () => {
  const bed = new KernelBed()
  bed.startFails = true
  bed.take('a', 'execute_request', RUN)
  await soon(() => bed.sent.at(-1) === 'a status idle')
  expect(bed.contents.find((content) => content['status'] === 'error')).toMatchObject({ evalue: 'ENOENT: no folder' })
  bed.startFails = false
  bed.take('b', 'execute_request', RUN)
  expect(bed.cells).toHaveLength(1)
})

test('when the shutdown is asked for, the running cell is killed, nothing else is started and the kernel ends', async () => {
  const bed = new KernelBed()
  bed.take('a', 'execute_request', RUN)
  bed.take('b', 'execute_request', RUN)
  bed.take('s', 'shutdown_request', { restart: true })
  expect(bed.cells[0]?.signals).toEqual(['kill'])
  expect(bed.contents.find((content) => 'restart' in content)).toEqual({ status: 'ok', restart: true })
  bed.cells[0]?.end()
  bed.take('c', 'execute_request', RUN)
  await soon(() => bed.sent.at(-1) === 'a status idle')
  expect(bed.cells).toHaveLength(1)
  expect(bed.ended).toBe(1)
})

test('when more cells are sent than may wait, the last are refused', () => {
  const bed = new KernelBed()
  for (let index = 0; index < 1002; index++) bed.take(String(index), 'execute_request', RUN)
  expect(bed.replies()).toEqual(['1001 execute_reply aborted'])
})

test('when a type of request is unknown, or named as what every object inherits, it is left unanswered', () => {
  const bed = new KernelBed()
  for (const type of ['debug_request', 'constructor', '']) bed.take('x', type)
  expect(bed.sent).toEqual([])
})

test('when members of a request have other types, it is answered all the same', async () => {
  const bed = new KernelBed()
  for (const type of ['complete_request', 'inspect_request', 'is_complete_request', 'execute_request'])
    bed.take(type, type, { code: 5, cursor_pos: 'x' })
  await soon(() => bed.replies().length === 4)
})
