import type {
  ConnectorDeclaration,
  OptionDescription,
  OptionDescriptions,
} from '../runtime/graph/connector-declaration.ts'

interface Role {
  readonly title: string
  /** Where in a job it stands. */
  readonly place: string
  /** A sentence about the role. */
  readonly note?: string
  readonly options: OptionDescriptions
}

/** One option; those of mappings follow the mapping, with its name and a dot before theirs. */
interface OptionRow {
  readonly name: string
  readonly value: string
  /** `required`, what stands for it where it is absent, or an empty text. */
  readonly otherwise: string
  readonly doc: string
}

/** The documentation page of a connector in Markdown, made from its declaration alone. */
export function connectorPage(declaration: ConnectorDeclaration): string {
  const sections = rolesOf(declaration).map(({ title, place, note, options }) => {
    const rows = rowsOf(options, '').map(
      ({ name, value, otherwise, doc }) =>
        `| \`${name}\` | ${cell(value)} | ${cell(quoted(otherwise))} | ${cell(doc)} |`,
    )
    const table =
      rows.length === 0
        ? 'There are no options.'
        : ['| Option | Value | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n')
    return [`## ${title}`, `\`${place}\``, ...(note === undefined ? [] : [note]), table].join('\n\n')
  })
  return [`# ${declaration.name}`, NOTE, declaration.doc, ...sections].join('\n\n') + '\n'
}

/** The same for a terminal. */
export function connectorText(declaration: ConnectorDeclaration): string {
  const sections = rolesOf(declaration).map(({ title, place, note, options }) => {
    const rows = rowsOf(options, '').map(rowText)
    return [
      `${title}: ${place}`,
      ...(note === undefined ? [] : [`  ${note}`]),
      ...(rows.length === 0 ? ['  There are no options.'] : rows),
    ].join('\n')
  })
  return [`${declaration.name}: ${declaration.doc}`, ...sections].join('\n\n') + '\n'
}

/** One option, and those of its mapping, for a terminal. */
export function optionText(name: string, option: OptionDescription): string {
  return rowsOf({ [name]: option }, '')
    .map(rowText)
    .join('\n')
}

function rowText({ name, value, otherwise, doc }: OptionRow): string {
  const kind =
    otherwise === '' ? value : otherwise === 'required' ? `${value}, required` : `${value}; default ${otherwise}`
  return `  ${name}: ${plain(kind)}\n      ${plain(doc)}`
}

/** The same for programs. */
export function connectorJson(declaration: ConnectorDeclaration): object {
  return {
    name: declaration.name,
    doc: declaration.doc,
    roles: rolesOf(declaration).map(({ title, options }) => ({ role: title, options: rowsOf(options, '') })),
  }
}

const NOTE = '<!-- Written by scripts/connector-docs.ts; change the declaration of the connector instead. -->'

function rolesOf({ name, source, sink, table, deadLetters }: ConnectorDeclaration): Role[] {
  return [
    source && { title: 'Source', place: `source: { ${name}: … }`, options: source.options.table },
    sink && { title: 'Sink', place: `sink: { ${name}: … }`, options: sink.options.table },
    table && {
      title: 'Table to look up',
      place: `join: { lookup: { ${name}: …, key: …, output: … } }`,
      note: `Rows are looked up by ${table.keys}.`,
      options: table.options.table,
    },
    deadLetters && {
      title: 'Dead letters',
      place: `onError: { deadLetter: { ${name}: … } }`,
      options: deadLetters.options.table,
    },
  ].filter((role) => role !== undefined)
}

function rowsOf(table: OptionDescriptions, prefix: string): OptionRow[] {
  return Object.entries(table).flatMap(([name, option]) => [
    { name: `${prefix}${name}`, value: valueOf(option), otherwise: defaultOf(option), doc: option.doc },
    ...rowsOf(option.type.fields ?? {}, `${prefix}${name}.`),
  ])
}

function valueOf({ type, unit, secret }: OptionDescription): string {
  const value = type.fields === undefined || !type.name.startsWith('mapping') ? type.name : 'mapping'
  return `${value}${unit === undefined ? '' : `, ${unit}`}${secret === true ? ' (secret)' : ''}`
}

function defaultOf(option: OptionDescription): string {
  if (option.required !== undefined) return 'required'
  if (typeof option.default === 'object') return JSON.stringify(option.default)
  return option.default === undefined ? '' : String(option.default)
}

function quoted(otherwise: string): string {
  return otherwise === '' || otherwise === 'required' ? otherwise : `\`${otherwise}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

/** Without the quotes of Markdown, which a terminal shows as they are. */
function plain(text: string): string {
  return text.replaceAll('`', '')
}
