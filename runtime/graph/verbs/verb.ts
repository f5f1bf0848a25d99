import type { Verb } from './all.ts'
import type { Entry } from './entry.ts'
import type { Distribution, OperatorNode, VerbData } from '../job-graph.ts'
import type { Problems } from '../problems.ts'
import type { Input, Stream, Surroundings } from '../stream.ts'
import type { Field, Schema } from '../../model/schema.ts'
import type { FunctionRef } from '../../model/user-module.ts'

/**
 * All that planning knows of one kind of operator. Every member is mandatory: a verb that forgets one does not
 * compile. Definitions are pure and load nothing that runs; `operators/` holds what runs them. To add a verb, write
 * its definition in a file of its own and name it in `all.ts`.
 */
export interface VerbDefinition<V extends VerbData> {
  /** What users call it, in messages about it. */
  readonly word: string
  /** How `spec.graph` says it; undefined: the entry of another verb is read as this one. */
  readonly entry: EntryReader | undefined

  /** The fields of the input at place `input` of `from` that the operator reads so that `wanted` come out of it. */
  reads(node: OperatorNode<V>, wanted: FieldNames, input: number): FieldNames
  /** How the rows that come out are distributed over the slots, when those that come in are distributed by `before`. */
  distributes(node: OperatorNode<V>, before: DistributedBy): DistributedBy
  /** What the rows that come out mean for those that came out before, and what it does with such input. */
  changes(node: OperatorNode<V>): Changes

  /** What a checkpoint holds for the operator. `inputs` are the schemas in the order of `from`, where known. */
  keeps(node: OperatorNode<V>, inputs: readonly (Schema | undefined)[]): Kept
  /** Everything that an edit can change about the operator, apart from its inputs and its parallelism. */
  aspects(node: OperatorNode<V>): readonly Aspect[]
  /**
   * The folder of `operators/` that holds what runs it; undefined: it is a part of every chain (a source, a sink, a
   * loop over single rows) or only says how rows travel.
   */
  readonly stage: string | undefined
  /** Whether rows that it keeps may be moved to disk when memory is short (`spec.state.memory`). */
  readonly spills: boolean
  /** Whether the rows that come out depend on the order in which inputs arrive, not only on what arrives. */
  readonly dependsOnArrival: boolean
  /** Whether a row can make it fail, so that `onError` may stand in its entry. */
  readonly refusesRows: boolean

  /** The functions of the user that it calls. */
  functions(verb: V): readonly FunctionRef[]
  /** The kind of service that it asks while it runs; undefined: it needs nothing outside of the job. */
  service(verb: V): string | undefined
  /** The operator in a few words, for `millrace explain`. */
  describe(node: OperatorNode<V>): string
}

/** Reads the entries of one verb. Everything wrong goes to `problems`; `verb` is absent from what is returned then. */
export type EntryReader = {
  /** By the field that names the verb. */
  readonly forms: Readonly<Record<string, EntryForm>>
} & (
  | { readonly inputs: 'none'; read(entry: Entry, around: Surroundings, problems: Problems): ReadOperator }
  | ({
      readonly inputs: 'one stream'
      read(entry: Entry, input: Input, around: Surroundings, problems: Problems): ReadOperator
    } & FormCheck)
  | ({
      readonly inputs: 'apart'
      read(entry: Entry, inputs: readonly Input[], around: Surroundings, problems: Problems): ReadOperator
    } & FormCheck)
)

interface FormCheck {
  /** Reports what is wrong whatever the fields of the input are. Called instead of `read` when they are unknown. */
  checkForm(entry: Entry, around: Surroundings, problems: Problems): void
}

export interface EntryForm {
  /** Fields that may stand beside `id`, `from` and `replicas`. */
  readonly fields: readonly string[]
  /** Fields that name a verb by themselves, and are a part of this one when they stand beside it. */
  readonly takes: readonly string[]
}

/** An operator as far as it could be read; `verb` is absent when something was reported. */
export interface ReadOperator<V extends VerbData = Verb> {
  stream: Stream
  verb?: V
  /** The only parallelism that it can have; absent: any. */
  slots?: number
  keyBy?: readonly string[]
  distribution?: readonly Distribution[]
  sideOutputs?: Readonly<Record<string, Stream>>
}

/** Names of fields of one stream, or all of them. */
export type FieldNames = ReadonlySet<string> | 'all'

/** Lists of fields by whose hash the rows of a stream are in the right slot already. */
export type DistributedBy = readonly (readonly string[])[]

export interface Changes {
  /**
   * append: each row is final. asInput: as the rows that come in. upsert: a row replaces an earlier one of its key;
   * `why` completes a sentence that begins with the id of the operator.
   */
  readonly makes:
    | { readonly kind: 'append' }
    | { readonly kind: 'asInput' }
    | { readonly kind: 'upsert'; readonly why: string }
  /** A field that adds up its input, so that a row that replaces an earlier one is counted twice. */
  readonly addsUp: string | undefined
}

/** nothing: it may come and go. position: how far a source has read. */
export type Kept = 'nothing' | 'position' | StateShape

/** State finds its place in another operator only if its shape is the same. */
export interface StateShape {
  /** Fields whose types and order the state is made of. */
  readonly fields: readonly Field[]
  /** Tables with a name of their own, as text; new ones may be added, others must stay as they were. */
  readonly tables: Readonly<Record<string, string>>
}

/** Something that an edit can change. */
export interface Aspect {
  /** The field of the entry that says it; several aspects may share one. */
  readonly name: string
  /** Equal texts mean the same. */
  readonly text: string
  /** Whether state that was kept under another text has no place under this one. */
  readonly bindsState: boolean
}
