import type {
  ConnectorDeclaration,
  OptionDescription,
  OptionDescriptions,
} from '../runtime/graph/connector-declaration.ts'

/** The documentation page of a connector, made from its declaration alone. */
export function connectorPage({ name, doc, source, sink, deadLetters }: ConnectorDeclaration): string {
  const sections = [
    source && section('Source', `source: { ${name}: … }`, source.options.table),
    sink && section('Sink', `sink: { ${name}: … }`, sink.options.table),
    deadLetters && section('Dead letters', `onError: { deadLetter: { ${name}: … } }`, deadLetters.options.table),
  ]
  return [`# ${name}`, NOTE, doc, ...sections.filter((part) => part !== undefined)].join('\n\n') + '\n'
}

const NOTE = '<!-- Written by scripts/connector-docs.ts; change the declaration of the connector instead. -->'

function section(title: string, place: string, table: OptionDescriptions): string {
  const rows = rowsOf(table, '')
  const options =
    rows.length === 0
      ? 'There are no options.'
      : ['| Option | Value | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n')
  return `## ${title}\n\n\`${place}\`\n\n${options}`
}

function rowsOf(table: OptionDescriptions, prefix: string): string[] {
  return Object.entries(table).flatMap(([name, option]) => [
    `| \`${prefix}${name}\` | ${cell(valueOf(option))} | ${cell(defaultOf(option))} | ${cell(option.doc)} |`,
    ...rowsOf(option.type.fields ?? {}, `${prefix}${name}.`),
  ])
}

function valueOf({ type, unit, secret }: OptionDescription): string {
  const value = type.fields === undefined || !type.name.startsWith('mapping') ? type.name : 'mapping'
  return `${value}${unit === undefined ? '' : `, ${unit}`}${secret === true ? ' (secret)' : ''}`
}

function defaultOf(option: OptionDescription): string {
  if (option.required !== undefined) return 'required'
  return option.default === undefined ? '' : `\`${String(option.default)}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
