import type {
  DeclaredOptions,
  OptionDescription,
  OpenedFile,
  OptionDescriptions,
  OptionProblem,
  Options,
} from '../../graph/connector-declaration.ts'
import { isFields } from '../../model/fields.ts'
import { joinRelative } from '../../graph/problems.ts'
import { unknownOptions, type ReportOption } from '../../graph/unknown-options.ts'
import { MillraceError } from '../../model/errors.ts'
import { shown, type OptionType } from './option-types.ts'

/** One line of a table of options: what the documentation says of it, and how it is read. */
export interface Option<Value> extends OptionDescription {
  readonly type: OptionType<Value>
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>

type ValueOf<Line> = Line extends { type: OptionType<infer Value> } ? Value : never

/** The typed values of a table: an option without default that is not required may be undefined. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends { required: string } | { default: unknown }
    ? ValueOf<Table[Name]>
    : ValueOf<Table[Name]> | undefined
}

/** Values while they are read: an option with a mistake is undefined. */
export type ValuesSoFar<Table extends OptionTable> = {
  readonly [Name in keyof Table]: ValueOf<Table[Name]> | undefined
}

/** Reports mistakes that several options make together. `values` holds what could be read of `written`. */
type Rules<Table extends OptionTable> = (values: ValuesSoFar<Table>, written: Options, report: ReportOption) => void

/** The options of one role of a connector. Everything that is known of them is derived from one table. */
export class OptionSet<const Table extends OptionTable> implements DeclaredOptions {
  readonly table: Table
  readonly #rules: Rules<Table> | undefined

  constructor(table: Table, rules?: Rules<Table>) {
    this.table = table
    this.#rules = rules
  }

  check(options: Options): readonly OptionProblem[] {
    return this.#readAll(options).problems
  }

  opens(options: Options): readonly OpenedFile[] {
    return opensOf(this.table, options)
  }

  /** Throws OPTIONS_INVALID for options that `check` refuses. */
  read(options: Options): OptionValues<Table> {
    const { values, problems } = this.#readAll(options)
    const [first] = problems
    if (first !== undefined)
      throw new MillraceError('OPTIONS_INVALID', `${first.path}: ${first.message}`, {
        domain: 'user',
        ...(first.hint === undefined ? {} : { hint: first.hint }),
      })
    // without problems every option that is required or has a default has a value
    return values as OptionValues<Table>
  }

  #readAll(options: Options): { values: ValuesSoFar<Table>; problems: OptionProblem[] } {
    const problems: OptionProblem[] = []
    const report: ReportOption = (path, message, hint) => {
      problems.push({ path, message, ...(hint === undefined ? {} : { hint }) })
    }
    const values = readTable(this.table, options, report)
    this.#rules?.(values, options, report)
    return { values, problems }
  }
}

/** A mapping with options of its own. */
export function mapping<const Table extends OptionTable>(
  table: Table,
): OptionType<OptionValues<Table>> & { readonly fields: OptionDescriptions } {
  const names = Object.keys(table).join(', ')
  return {
    name: `mapping of ${names}`,
    fields: table,
    opens: (value) => (isFields(value) ? opensOf(table, value) : []),
    read: (value, report) => {
      if (!isFields(value)) {
        report('', `must be a mapping of ${names}, found ${shown(value)}`)
        return undefined
      }
      let isSound = true
      const values = readTable(table, value, (path, message, hint) => {
        isSound = false
        report(path, message, hint)
      })
      return isSound ? (values as OptionValues<Table>) : undefined
    },
  }
}

function readTable<Table extends OptionTable>(
  table: Table,
  options: Options,
  report: ReportOption,
): ValuesSoFar<Table> {
  unknownOptions(options, Object.keys(table), report)
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, readOption(name, option, options[name], report)]),
  ) as ValuesSoFar<Table>
}

function opensOf(table: OptionTable, options: Options): OpenedFile[] {
  return Object.entries(table).flatMap(([name, { type, default: otherwise }]) => {
    const value = options[name] ?? otherwise
    const opened = value === undefined ? [] : (type.opens?.(value) ?? [])
    return opened.map((one) => ({ ...one, path: joinRelative(name, one.path) }))
  })
}

function readOption(name: string, option: Option<unknown>, written: unknown, report: ReportOption): unknown {
  // YAML reads `format:` as null: it stands for the default, and without a default it is a mistake
  const value = written ?? option.default ?? written
  if (value === undefined) {
    if (option.required !== undefined) report(name, `is required: ${option.required}`)
    return undefined
  }
  return option.type.read(value, (path, message, hint) => {
    report(joinRelative(name, path), option.secret === true ? `must be a ${option.type.name}` : message, hint)
  })
}
