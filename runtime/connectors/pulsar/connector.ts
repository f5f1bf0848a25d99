import type { Connector } from '../registry.ts'
import { readSourceOptions } from './declaration.ts'
import { pulsarSource } from './source.ts'
import type { PulsarTransport } from './transport.ts'

/** The Pulsar connector over sockets (`real/`), or a broker in memory. */
export function pulsarConnector(transport: PulsarTransport): Pick<Required<Connector>, 'source'> {
  return { source: (options) => pulsarSource(transport, readSourceOptions(options)) }
}
