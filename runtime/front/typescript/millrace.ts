/**
 * What `import … from 'millrace'` gives: everything a job in TypeScript is written with. A job is a graph of
 * streams from sources to sinks; the file exports it by default. Nothing here runs anything: `millrace run` and
 * `millrace compile` do.
 */
export {
  approxCountDistinct,
  argMax,
  argMin,
  avg,
  collect,
  count,
  countDistinct,
  countDistinctIf,
  countIf,
  custom,
  first,
  histogram,
  last,
  max,
  min,
  percentile,
  bitAnd,
  bitOr,
  bitXor,
  every,
  some,
  stddev,
  stddevPop,
  variance,
  variancePop,
  sum,
} from './aggregates.ts'
export { connector, druid, file, kafka, nexmark, print, type Sink, type Source, values } from './connectors.ts'
export { expr, type Expression } from './expressions.ts'
export { job, type Job, type JobDefinition } from './job.ts'
export type { AsyncContext, KeyedContext, ListState, MapState, ProcessContext, ValueState } from './process.ts'
export type { Json, NewRow, Row, Shape } from './shapes.ts'
export { stream, type KeyedStream, type OnError, type Stream } from './stream.ts'
export { global, hop, rows, session, tumble, type Duration, type Window } from './windows.ts'
