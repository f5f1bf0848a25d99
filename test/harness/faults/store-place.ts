import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'cassandra-driver'
import { cassandraBedMissing, fetchCassandra, startCassandra } from '../beds/cassandra-bed.ts'
import { fetchHbase, hbaseBedMissing, startHbase } from '../beds/hbase-bed.ts'
import { fetchHdfs, hdfsBedMissing, startHdfs } from '../beds/hdfs-bed.ts'
import { fetchKudu, kuduBedMissing, startKudu } from '../beds/kudu-bed.ts'
import { fetchS3, s3BedMissing, startS3 } from '../beds/s3-bed.ts'
import { ROOT } from '../source-files.ts'
import { folderOutsideOfBed } from './fault-bed.ts'

/** A process of a server; both resolve when it is done. */
interface Victim {
  readonly name: string
  /** SIGKILL. */
  kill(): Promise<void>
  /** On the same ports and data, until it serves again. */
  restart(): Promise<void>
}

/** A real server in which all fault runs of this process keep their checkpoints, on a disk that is never filled. */
export interface StorePlace {
  /** A folder that no other run has, as `checkpoints.store` takes it. */
  freshUrl(): string
  readonly victims: readonly Victim[]
  stop(): Promise<void>
}

export interface StoreServer {
  readonly name: string
  /** Why it can not run here, or undefined. */
  missing(): string | undefined
  /** Before the network is taken away. */
  fetch(): Promise<unknown>
  start(folder: string): Promise<Omit<StorePlace, 'freshUrl'> & { urlOf(folder: string): string }>
}

/** The systems that `--store` of the fault runs names. */
export const STORE_SERVERS: readonly StoreServer[] = [
  { name: 's3', missing: s3BedMissing, fetch: fetchS3, start: inS3 },
  { name: 'hdfs', missing: hdfsBedMissing, fetch: fetchHdfs, start: inHdfs },
  { name: 'kudu', missing: kuduBedMissing, fetch: fetchKudu, start: inKudu },
  { name: 'cassandra', missing: cassandraBedMissing, fetch: fetchCassandra, start: inCassandra },
  { name: 'hbase', missing: hbaseBedMissing, fetch: fetchHbase, start: inHbase },
]

export async function startStorePlace(server: StoreServer): Promise<StorePlace> {
  const folder = folderOutsideOfBed()
  mkdirSync(join(folder, 'server'))
  const { urlOf, victims, stop } = await server.start(join(folder, 'server'))
  return {
    freshUrl: () => urlOf(randomUUID()),
    victims,
    stop: async () => {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function inS3(dir: string): ReturnType<StoreServer['start']> {
  const s3 = await startS3({ dir, buckets: ['state'] })
  // what coordinators and workers inherit
  process.env['AWS_ACCESS_KEY_ID'] = s3.accessKey
  process.env['AWS_SECRET_ACCESS_KEY'] = s3.secretKey
  return {
    urlOf: (folder) => `s3://state/${folder}?endpoint=${encodeURIComponent(s3.endpoint)}`,
    victims: [{ name: 'versitygw', kill: s3.kill, restart: s3.start }],
    stop: s3.stop,
  }
}

async function inHdfs(dir: string): ReturnType<StoreServer['start']> {
  const hdfs = await startHdfs({ dir })
  return {
    urlOf: (folder) => `hdfs://${hdfs.nameNode}/${folder}?user=${hdfs.user}`,
    victims: [
      { name: 'NameNode', kill: hdfs.nameNodeDaemon.kill, restart: hdfs.nameNodeDaemon.start },
      { name: 'DataNode', kill: hdfs.dataNodeDaemon.kill, restart: hdfs.dataNodeDaemon.start },
    ],
    stop: hdfs.stop,
  }
}

async function inKudu(dir: string): ReturnType<StoreServer['start']> {
  const kudu = await startKudu({ dir })
  const [, table = ''] = /kudu table create \S+ '([^']+)'/.exec(readFileSync(join(ROOT, 'docs/kudu.md'), 'utf8')) ?? []
  await kudu.command('table', 'create', kudu.masters, table.replace('"num_replicas": 3', '"num_replicas": 1'))
  const victimsOf = (name: string, daemons: typeof kudu.tabletServers): readonly Victim[] =>
    daemons.map(({ stop, start }) => ({ name, kill: stop, restart: start }))
  return {
    urlOf: (folder) => `kudu://${kudu.masters}/millrace_state/${folder}`,
    victims: [...victimsOf('kudu-tserver', kudu.tabletServers), ...victimsOf('kudu-master', kudu.masterDaemons)],
    stop: kudu.stop,
  }
}

async function inCassandra(dir: string): ReturnType<StoreServer['start']> {
  const cassandra = await startCassandra({ dir })
  const admin = new Client({ contactPoints: [cassandra.address], localDataCenter: 'datacenter1' })
  await admin.execute("CREATE KEYSPACE streams WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  await admin.shutdown()
  return {
    urlOf: (folder) => `cassandra://${cassandra.address}/streams/state/${folder}`,
    victims: [{ name: 'Cassandra', kill: cassandra.kill, restart: cassandra.restart }],
    stop: cassandra.stop,
  }
}

async function inHbase(dir: string): ReturnType<StoreServer['start']> {
  const hbase = await startHbase({ dir })
  const { status } = await fetch(`${hbase.url}/state/schema`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'state', ColumnSchema: [{ name: 'd', VERSIONS: '1' }] }),
  })
  if (status !== 201) throw new Error(`HBase answered ${status} to the table of the checkpoints`)
  const restart = async ({ launch }: { launch(): Promise<void> }): Promise<void> => {
    await launch()
    await hbase.served()
  }
  return {
    urlOf: (folder) => `hbase://${new URL(hbase.url).host}/state/${folder}`,
    victims: [
      { name: 'HBase', kill: hbase.server.kill, restart: () => restart(hbase.server) },
      { name: 'its gateway', kill: hbase.gateway.kill, restart: () => restart(hbase.gateway) },
    ],
    stop: hbase.stop,
  }
}
