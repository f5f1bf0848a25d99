import type { Connector } from '../registry.ts'
import { readSinkOptions, readSourceOptions } from './declaration.ts'
import { pulsarSink } from './sink.ts'
import { pulsarSource } from './source.ts'
import type { PulsarTransport } from './transport.ts'

/** The Pulsar connector over sockets (`real/`), or a broker in memory. */
export function pulsarConnector(transport: PulsarTransport): Pick<Required<Connector>, 'source' | 'sink'> {
  return {
    source: (options) => pulsarSource(transport, readSourceOptions(options)),
    sink: (options) => pulsarSink(transport, readSinkOptions(options)),
  }
}
