import { describe, expect, test } from 'vitest'
import { Connectors, type Connector, type ConnectorEntry } from '../../../../runtime/connectors/registry.ts'
import type { SinkConnector } from '../../../../runtime/connectors/sink.ts'
import type { Options } from '../../../../runtime/graph/connector-declaration.ts'
import { anyOptions } from '../../../harness/any-connectors.ts'

const SINK = {} as SinkConnector

/** Two sinks; `loads` has the name of each connector whose code was loaded, `read` the options that were read. */
function sinks(): { connectors: Connectors; loads: string[]; read: Options[] } {
  const loads: string[] = []
  const read: Options[] = []
  const connector: Connector = {
    sink: (options) => {
      read.push(options)
      return SINK
    },
  }
  const entry = (name: string): ConnectorEntry => ({
    declaration: { name, doc: 'A sink.', sink: { options: anyOptions } },
    load: () => {
      loads.push(name)
      return Promise.resolve({ connector })
    },
  })
  return { connectors: new Connectors([entry('one'), entry('two')]), loads, read }
}

describe('the registry of connectors', () => {
  test('when a sink is asked for, its connector alone is loaded, once', async () => {
    const { connectors, loads, read } = sinks()
    expect(loads).toEqual([])
    expect(await connectors.sink('two', { a: 1 })).toBe(SINK)
    await connectors.preload(['two', 'three'])
    await connectors.sink('two', { a: 2 })
    expect(loads).toEqual(['two'])
    expect(read).toEqual([{ a: 1 }, { a: 2 }])
  })

  test('when a connector has no such role or does not exist, the error names those that do', async () => {
    const { connectors } = sinks()
    await expect(connectors.sink('three', {})).rejects.toMatchObject({
      code: 'CONNECTOR_UNKNOWN',
      hint: 'Known: one, two.',
    })
    await expect(connectors.source('one', {})).rejects.toMatchObject({ code: 'CONNECTOR_UNKNOWN' })
    await expect(connectors.deadLetterSink('one', {})).rejects.toMatchObject({ code: 'CONNECTOR_UNKNOWN' })
  })

  test('when declarations are listed by role, a connector stands under the roles it has', () => {
    const { connectors } = sinks()
    expect(Object.keys(connectors.sinks)).toEqual(['one', 'two'])
    expect(connectors.sources).toEqual({})
    expect(connectors.deadLetters).toEqual({})
  })
})
