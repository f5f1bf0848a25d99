import type { JobGraph } from '../../runtime/graph/job-graph.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import type { CellMessage, MimeBundle } from './cell-messages.ts'
import type { CellSettings, PlotSettings } from './cell-source.ts'
import { plotView } from './plot-view.ts'
import { SinkRows } from './sink-rows.ts'
import { tableView } from './table-view.ts'

/** How many of the newest rows a plot draws. */
const PLOTTED_ROWS = 2000

interface Sink {
  readonly id: string
  readonly columns: readonly string[]
  readonly rows: SinkRows
  readonly plots: readonly PlotSettings[]
  /** How many rows were shown last. */
  shown: number
}

/** The tables and plots under a cell: one table for each console sink of its job, and the plots that the cell asks for. */
export class CellViews {
  readonly #sinks: ReadonlyMap<string, Sink>
  readonly #settings: CellSettings
  #total = 0

  /** Throws PLOT_COLUMN_UNKNOWN where a plot names a sink or a column that is not there. */
  constructor(graph: JobGraph, settings: CellSettings) {
    this.#settings = settings
    const sinks = graph.operators
      .filter(({ verb }) => verb.kind === 'sink' && verb.connector === 'console')
      .map(({ id, schema }) => ({ id, columns: schema.fields.map(({ name }) => name) }))
    for (const plot of settings.plots) checkPlot(plot, sinks)
    this.#sinks = new Map(
      sinks.map(({ id, columns }) => {
        const plots = settings.plots.filter((plot) => isDrawn(plot, id, columns))
        const rows = new SinkRows(plots.length > 0 ? Math.max(PLOTTED_ROWS, settings.rows) : settings.rows)
        return [id, { id, columns, plots, rows, shown: -1 }]
      }),
    )
  }

  /** Whether the job has no console sink, so that its cell would show nothing. */
  get isEmpty(): boolean {
    return this.#sinks.size === 0
  }

  /** Takes a row of a sink. Rows behind the last that the cell asked for are left out. */
  add(line: string, sink: string): void {
    if (this.isEnough) return
    this.#total += 1
    this.#sinks.get(sink)?.rows.add(line)
  }

  /** Whether the cell asked to be stopped at so many rows. */
  get isEnough(): boolean {
    return this.#settings.stopRows !== undefined && this.#total >= this.#settings.stopRows
  }

  /** The views that have changed since the last call; at the end of the job, and at the first call, everything. */
  changes(state: 'running' | 'ended'): CellMessage[] {
    return [...this.#sinks.values()]
      .filter((sink) => state === 'ended' || sink.shown !== sink.rows.total)
      .flatMap((sink) => {
        sink.shown = sink.rows.total
        return this.#views(sink, state).map(([view, data]): CellMessage => ({ kind: 'view', view, data }))
      })
  }

  #views({ id, columns, rows, plots }: Sink, state: 'running' | 'ended'): [view: string, data: MimeBundle][] {
    const newest = rows.newest(this.#settings.rows)
    const table = tableView({ sink: id, columns, rows: newest, total: rows.total, state })
    return [
      [`table-${id}`, table],
      ...plots.map((plot): [string, MimeBundle] => [
        `plot-${id}-${this.#settings.plots.indexOf(plot)}`,
        plotView(id, plot, rows.newest(PLOTTED_ROWS)),
      ]),
    ]
  }
}

type Printed = Pick<Sink, 'id' | 'columns'>

function columnsOf({ x, y, by }: PlotSettings): string[] {
  return [x, ...y, ...(by === undefined ? [] : [by])]
}

function isDrawn(plot: PlotSettings, id: string, columns: readonly string[]): boolean {
  return (plot.sink ?? id) === id && columnsOf(plot).every((column) => columns.includes(column))
}

function checkPlot(plot: PlotSettings, sinks: readonly Printed[]): void {
  if (sinks.some(({ id, columns }) => isDrawn(plot, id, columns))) return
  const there = sinks.map(({ id, columns }) => `${id} with ${columns.join(', ')}`).join('; ')
  const wanted = `${columnsOf(plot).join(', ')}${plot.sink === undefined ? '' : ` of ${plot.sink}`}`
  throw new MillraceError('PLOT_COLUMN_UNKNOWN', `%plot: no console sink has the columns ${wanted}`, {
    domain: 'user',
    hint: there === '' ? 'the job has no console sink' : `console sinks are ${there}`,
  })
}
