import type { ConnectorDeclaration, ConnectorDeclarations, Options } from '../graph/connector-declaration.ts'
import { MillraceError } from '../model/errors.ts'
import type { DeadLetterConnector } from './dead-letters.ts'
import type { SinkConnector } from './sink.ts'
import type { SourceConnector } from './source.ts'
import type { TableConnector } from './table.ts'

/**
 * The code of a connector, for the roles that its declaration names. Each method reads the options of the job into
 * their types, and its result keeps them: this is the only place that reads them. Called only with options that passed
 * the check of the declaration.
 */
export interface Connector {
  source?(options: Options): SourceConnector
  sink?(options: Options): SinkConnector
  table?(options: Options): TableConnector
  deadLetters?(options: Options): DeadLetterConnector
}

export interface ConnectorEntry {
  declaration: ConnectorDeclaration
  /**
   * Loads the code together with its real client. Tests make entries of their own, whose `load` returns the connector
   * over a virtual client, so that no other code has to know which of the two it uses.
   */
  load(): Promise<{ readonly connector: Connector }>
}

type Role = keyof Connector

const ROLE_NAMES: Readonly<Record<Role, string>> = {
  source: 'source',
  sink: 'sink',
  table: 'table',
  deadLetters: 'dead letter',
}

/**
 * The connectors that a job can name. Planning needs the declarations only, which are always there. The code of a
 * connector is loaded when a subtask or the coordinator first asks for it. `source`, `sink`, `table` and
 * `deadLetterSink` reject with CONNECTOR_UNKNOWN when there is no connector of that name and role.
 */
export class Connectors implements ConnectorDeclarations {
  readonly entries: readonly ConnectorEntry[]
  readonly sources: ConnectorDeclarations['sources']
  readonly sinks: ConnectorDeclarations['sinks']
  readonly tables: ConnectorDeclarations['tables']
  readonly deadLetters: ConnectorDeclarations['deadLetters']
  readonly #loaded = new Map<string, Promise<Connector>>()

  constructor(entries: readonly ConnectorEntry[]) {
    this.entries = entries
    this.sources = byName(entries, ({ source }) => source)
    this.sinks = byName(entries, ({ sink }) => sink)
    this.tables = byName(entries, ({ table }) => table)
    this.deadLetters = byName(entries, ({ deadLetters }) => deadLetters)
  }

  async source(name: string, options: Options): Promise<SourceConnector> {
    const open = (await this.#load(name, 'source', this.sources)).source
    return open?.(options) ?? unknownConnector(name, 'source', this.sources)
  }

  async sink(name: string, options: Options): Promise<SinkConnector> {
    const open = (await this.#load(name, 'sink', this.sinks)).sink
    return open?.(options) ?? unknownConnector(name, 'sink', this.sinks)
  }

  async table(name: string, options: Options): Promise<TableConnector> {
    const open = (await this.#load(name, 'table', this.tables)).table
    return open?.(options) ?? unknownConnector(name, 'table', this.tables)
  }

  async deadLetterSink(name: string, options: Options): Promise<DeadLetterConnector> {
    const open = (await this.#load(name, 'deadLetters', this.deadLetters)).deadLetters
    return open?.(options) ?? unknownConnector(name, 'deadLetters', this.deadLetters)
  }

  /** Loads the code of these connectors now, so that a later use does not wait for the disk. */
  async preload(names: readonly string[]): Promise<void> {
    for (const entry of this.entries) if (names.includes(entry.declaration.name)) await this.#once(entry)
  }

  #load(name: string, role: Role, known: object): Promise<Connector> {
    const entry = this.entries.find(({ declaration }) => declaration.name === name)
    return entry === undefined ? unknownConnector(name, role, known) : this.#once(entry)
  }

  #once(entry: ConnectorEntry): Promise<Connector> {
    const { name } = entry.declaration
    let loaded = this.#loaded.get(name)
    if (loaded === undefined) this.#loaded.set(name, (loaded = entry.load().then(({ connector }) => connector)))
    return loaded
  }
}

function byName<Declared>(
  entries: readonly ConnectorEntry[],
  role: (declaration: ConnectorDeclaration) => Declared | undefined,
): Readonly<Record<string, Declared>> {
  return Object.fromEntries(
    entries.flatMap(({ declaration }) => {
      const declared = role(declaration)
      return declared === undefined ? [] : [[declaration.name, declared]]
    }),
  )
}

function unknownConnector(name: string, role: Role, known: object): never {
  throw new MillraceError('CONNECTOR_UNKNOWN', `no ${ROLE_NAMES[role]} connector is named ${JSON.stringify(name)}`, {
    domain: 'user',
    hint: `Known: ${Object.keys(known).sort().join(', ')}.`,
  })
}
