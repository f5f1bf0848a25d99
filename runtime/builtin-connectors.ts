import { declaration as cassandra } from './connectors/cassandra/declaration.ts'
import { declaration as console } from './connectors/console/declaration.ts'
import { declaration as databricks } from './connectors/databricks/declaration.ts'
import { declaration as delta } from './connectors/delta/declaration.ts'
import { declaration as druid } from './connectors/druid/declaration.ts'
import { declaration as file } from './connectors/file/declaration.ts'
import { declaration as flume } from './connectors/flume/declaration.ts'
import { declaration as hbase } from './connectors/hbase/declaration.ts'
import { declaration as http } from './connectors/http/declaration.ts'
import { declaration as kafka } from './connectors/kafka/declaration.ts'
import { declaration as kudu } from './connectors/kudu/declaration.ts'
import { declaration as nats } from './connectors/nats/declaration.ts'
import { declaration as nexmark } from './connectors/nexmark/declaration.ts'
import { declaration as pulsar } from './connectors/pulsar/declaration.ts'
import { declaration as tcp } from './connectors/tcp/declaration.ts'
import { declaration as values } from './connectors/values/declaration.ts'
import { declaration as webhook } from './connectors/webhook/declaration.ts'
import { Connectors } from './connectors/registry.ts'

/** Every connector of the runtime image. To add one, add its entry here. */
export const builtinConnectors = new Connectors([
  { declaration: cassandra, load: () => import('./connectors/cassandra/real/connector.ts') },
  { declaration: console, load: () => import('./connectors/console/connector.ts') },
  { declaration: databricks, load: () => import('./connectors/databricks/connector.ts') },
  { declaration: delta, load: () => import('./connectors/delta/connector.ts') },
  { declaration: druid, load: () => import('./connectors/druid/real/connector.ts') },
  { declaration: file, load: () => import('./connectors/file/connector.ts') },
  { declaration: flume, load: () => import('./connectors/flume/real/connector.ts') },
  { declaration: hbase, load: () => import('./connectors/hbase/connector.ts') },
  { declaration: http, load: () => import('./connectors/http/connector.ts') },
  { declaration: kafka, load: () => import('./connectors/kafka/real/connector.ts') },
  { declaration: kudu, load: () => import('./connectors/kudu/real/connector.ts') },
  { declaration: nats, load: () => import('./connectors/nats/real/connector.ts') },
  { declaration: nexmark, load: () => import('./connectors/nexmark/connector.ts') },
  { declaration: pulsar, load: () => import('./connectors/pulsar/real/connector.ts') },
  { declaration: tcp, load: () => import('./connectors/tcp/real/connector.ts') },
  { declaration: values, load: () => import('./connectors/values/connector.ts') },
  { declaration: webhook, load: () => import('./connectors/webhook/real/connector.ts') },
])
