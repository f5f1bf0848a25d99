import type { Connector } from '../registry.ts'
import type { NatsConnect } from './client.ts'
import { readSourceOptions, sinkOptions } from './declaration.ts'
import { natsSink } from './sink.ts'
import { natsSource } from './source.ts'

/** The NATS connector over its servers (`real/`), or over streams in memory. */
export function natsConnector(connect: NatsConnect): Pick<Required<Connector>, 'source' | 'sink'> {
  return {
    source: (options) => natsSource(connect, readSourceOptions(options)),
    sink: (options) => natsSink(connect, sinkOptions.read(options)),
  }
}
