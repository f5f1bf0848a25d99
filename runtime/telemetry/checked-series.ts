import { isFields } from '../model/fields.ts'
import type { Series } from './metric.ts'

/** What a heartbeat may carry: a process that counts without limit must not fill the coordinator's memory. */
export const MAX_SERIES = 500
const MAX_LABELS = 8
const MAX_TEXT = 300

const NAME = /^millrace_operator_[a-z0-9_]{1,80}$/
const LABEL = /^[a-z][a-z0-9_]{0,40}$/
/** The coordinator adds these. */
const OWN_LABELS = ['operator', 'subtask']

/**
 * The series of a heartbeat that can be served, and how many of them cannot. Called for what a worker sent: a metric
 * that is wrong is left out, and never a reason to lose the worker.
 */
export function checkedSeries(sent: unknown): { readonly series: readonly Series[]; readonly refused: number } {
  if (sent === undefined) return { series: [], refused: 0 }
  if (!Array.isArray(sent)) return { series: [], refused: 1 }
  const values: readonly unknown[] = sent
  const series = values.slice(0, MAX_SERIES).filter(isSeries)
  return { series, refused: values.length - series.length }
}

function isSeries(value: unknown): value is Series {
  if (!isFields(value)) return false
  const { name, type, help, scope, operator, labels, value: number }: Partial<Record<keyof Series, unknown>> = value
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    isText(help) &&
    isText(operator) &&
    (scope === 'subtask' || scope === 'operator') &&
    (labels === undefined || areLabels(labels)) &&
    typeof number === 'number' &&
    Number.isFinite(number) &&
    (type === 'gauge' || (type === 'counter' && number >= 0))
  )
}

function areLabels(labels: unknown): boolean {
  if (!isFields(labels)) return false
  const entries = Object.entries(labels)
  return (
    entries.length <= MAX_LABELS &&
    entries.every(([name, text]) => LABEL.test(name) && !OWN_LABELS.includes(name) && isText(text))
  )
}

const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= MAX_TEXT
