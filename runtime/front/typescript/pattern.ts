import type { Expression } from './expressions.ts'
import type { Nullable, Shape, TypeText } from './shapes.ts'
import type { Duration } from './windows.ts'

/** One step of a sequence: docs/verbs/pattern.md says what the options mean. Conditions are expressions. */
export interface PatternStep {
  readonly name: string
  readonly where?: string
  readonly follows?: 'next' | 'followedBy' | 'followedByAny'
  readonly times?: number | `${number}..${number}` | `${number}+`
  readonly loop?: 'strict' | 'relaxed' | 'combinations'
  readonly until?: string
  readonly optional?: boolean
  readonly greedy?: boolean
  readonly not?: boolean
}

export type PatternSteps = readonly [PatternStep, ...PatternStep[]]

/** Steps that have rows. */
type Taking<Steps extends PatternSteps> = Exclude<Steps[number], { readonly not: true }>
type StepName<Steps extends PatternSteps> = Taking<Steps>['name']

/**
 * A field of the key, `match.time`, a field of a step's first or last row, `step.count`, or an expression over
 * those.
 */
export type PatternSelected<S extends Shape, K extends keyof S & string, Steps extends PatternSteps> =
  | K
  | 'match.start'
  | 'match.time'
  | `${StepName<Steps>}.count`
  | `${StepName<Steps>}.${'' | 'first.' | 'last.'}${keyof S & string}`
  | Expression<TypeText>

export interface PatternOptions<Steps extends PatternSteps, Select> {
  readonly steps: Steps
  readonly within?: Duration
  readonly after?:
    | 'skipPastLast'
    | 'skipToNext'
    | 'noSkip'
    | { readonly skipToFirst: StepName<Steps> }
    | { readonly skipToLast: StepName<Steps> }
  readonly maxRuns?: number
  readonly select: Select
}

type FieldOfStep<S extends Shape, Step, Name extends keyof S> = Step extends
  | { readonly optional: true }
  | { readonly times: `0${string}` }
  ? Nullable<S[Name]>
  : S[Name]

/** The step and the field that a text names. */
type FieldNamed<S extends Shape, Steps extends PatternSteps, Step, Path extends string> = Path extends keyof S & string
  ? FieldOfStep<S, Extract<Taking<Steps>, { readonly name: Step }>, Path>
  : Path extends `${'first' | 'last'}.${infer Name extends keyof S & string}`
    ? FieldOfStep<S, Extract<Taking<Steps>, { readonly name: Step }>, Name>
    : Path extends 'count'
      ? 'long'
      : never

type SelectedType<S extends Shape, Steps extends PatternSteps, T> =
  T extends Expression<infer Type>
    ? Type
    : T extends keyof S & string
      ? S[T]
      : T extends 'match.start' | 'match.time'
        ? 'timestamp'
        : T extends `${infer Step}.${infer Path}`
          ? FieldNamed<S, Steps, Step, Path>
          : never

/** The fields of a match. */
export type Found<S extends Shape, Steps extends PatternSteps, Select> = {
  -readonly [Name in keyof Select]: SelectedType<S, Steps, Select[Name]>
} & {} extends infer F extends Shape
  ? F
  : never

/** A match that was not complete in time may lack the rows of any step. */
type LackingType<S extends Shape, Steps extends PatternSteps, T> = T extends
  | keyof S
  | 'match.start'
  | 'match.time'
  | `${string}.count`
  ? SelectedType<S, Steps, T>
  : SelectedType<S, Steps, T> extends infer Type extends TypeText
    ? Nullable<Type>
    : never
export type TimedOut<S extends Shape, Steps extends PatternSteps, Select> = {
  -readonly [Name in keyof Select]: LackingType<S, Steps, Select[Name]>
} & {} extends infer F extends Shape
  ? F
  : never
