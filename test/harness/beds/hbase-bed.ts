import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { freePorts } from './free-port.ts'
import { fetchJars, javaMissing } from './maven.ts'
import { runCommand } from './run-command.ts'
import { spawnTied, type TiedProcess } from './tied-process.ts'
import { bodyIfOk, waitFor } from './wait-for.ts'

const SOURCES = join(import.meta.dirname, 'hbase')
const STARTS_WITHIN_MS = 180_000
const STOPS_WITHIN_MS = 5_000

// as bin/hbase opens them for Java 17
const OPENS = [
  'java.base/java.lang',
  'java.base/java.lang.reflect',
  'java.base/java.io',
  'java.base/java.nio',
  'java.base/java.util',
  'java.base/java.util.concurrent',
  'java.base/jdk.internal.misc',
  'java.base/sun.nio.ch',
]
const EXPORTS = ['java.base/jdk.internal.misc', 'java.base/sun.net.dns', 'java.base/sun.net.util']
const MODULES = [
  ...OPENS.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
  ...EXPORTS.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
]

export interface HbaseDaemon {
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it again on the same ports and data. */
  launch(): Promise<void>
}

export interface HbaseBed {
  /** The address of the REST gateway. */
  readonly url: string
  /** Master, region server and ZooKeeper, in one JVM. */
  readonly server: HbaseDaemon
  readonly gateway: HbaseDaemon
  /** Returns when the gateway answers for tables. */
  served(): Promise<void>
  /** HBase's own Java client: what `hbase/Client.java` prints for these arguments. */
  client(...args: readonly string[]): Promise<string>
  /** Starts another gateway, which shows a certificate (PEM files); gives its address. */
  startSecureGateway(shown: { readonly certificate: string; readonly key: string }): Promise<string>
  stop(): Promise<void>
}

/** Why a real HBase can not run here, or undefined. */
export const hbaseBedMissing = javaMissing

/** Fetches HBase 2.6.1 unless it is in the cache; gives the folder of its jars. */
export function fetchHbase(): Promise<string> {
  return fetchJars('hbase', join(SOURCES, 'pom.xml'), '111 MB, about 50 s')
}

/** Starts HBase 2.6.1 on local files, and its REST gateway, in about 20 s. They end with this process at the latest. */
export async function startHbase(options: { dir: string }): Promise<HbaseBed> {
  const jars = await fetchHbase()
  const dir = resolve(options.dir)
  const conf = join(dir, 'conf')
  mkdirSync(conf, { recursive: true })
  const ports = await freePorts(4)
  const [, , , rest] = ports
  writeFileSync(join(conf, 'hbase-site.xml'), siteOf(settingsOf(dir, ports)))
  writeFileSync(
    join(conf, 'log4j.properties'),
    'log4j.rootLogger=WARN,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n' +
      'log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%d %p %c{2}: %m%n\n',
  )
  const java = [...MODULES, '-XX:+UseSerialGC', '-cp', `${conf}:${jars}/*`]
  const running = new Map<string, TiedProcess>()
  const daemonOf = (name: string, heap: string, args: readonly string[]): HbaseDaemon => ({
    async launch() {
      const log = join(dir, `${name}.log`)
      running.set(name, await spawnTied('java', [`-Xmx${heap}`, ...java, ...args], { log, cwd: dir }))
    },
    kill: async () => running.get(name)?.kill(),
  })
  const server = daemonOf('server', '768m', ['org.apache.hadoop.hbase.master.HMaster', 'start'])
  const gateway = daemonOf('gateway', '256m', ['org.apache.hadoop.hbase.rest.RESTServer', 'start'])
  const url = `http://127.0.0.1:${rest}`
  const served = (): Promise<void> =>
    waitFor(
      'HBase serves',
      STARTS_WITHIN_MS,
      async () => {
        for (const [name, { hasExited, logTail }] of running)
          if (hasExited()) throw new Error(`the ${name} of HBase ended:\n${logTail()}`)
        // the master answers this when it has all that it needs to make tables
        return (await bodyIfOk(`${url}/namespaces`))?.includes('default') === true
      },
      () => [...running.values()].map((process) => process.logTail()).join('\n'),
    )
  await server.launch()
  await gateway.launch()
  await served()
  return {
    url,
    server,
    gateway,
    served,
    client: (...args) =>
      runCommand('java', ['-Xmx256m', ...java, join(SOURCES, 'Client.java'), ...args], {
        bed: 'hbase',
        doing: args.slice(0, 2).join(' '),
      }),
    async startSecureGateway({ certificate, key }) {
      const [port = 0] = await freePorts(1)
      const [store, password] = [join(dir, 'gateway.p12'), 'changeit']
      const how = ['-name', 'gateway', '-passout', `pass:${password}`]
      await runCommand('openssl', ['pkcs12', '-export', '-in', certificate, '-inkey', key, '-out', store, ...how], {
        bed: 'hbase',
        doing: 'making the store of the certificate',
      })
      const site = join(dir, 'secure')
      mkdirSync(site, { recursive: true })
      const settings = {
        ...settingsOf(dir, ports),
        'hbase.rest.port': String(port),
        'hbase.rest.ssl.enabled': 'true',
        'hbase.rest.ssl.keystore.store': store,
        'hbase.rest.ssl.keystore.password': password,
        'hbase.rest.ssl.keystore.type': 'PKCS12',
      }
      writeFileSync(join(site, 'hbase-site.xml'), siteOf(settings))
      const log = join(dir, 'secure-gateway.log')
      const args = ['-Xmx256m', '-cp', `${site}:${java.at(-1)}`, 'org.apache.hadoop.hbase.rest.RESTServer', 'start']
      running.set('secure gateway', await spawnTied('java', [...MODULES, ...args], { log, cwd: dir }))
      await waitFor(
        'the secure gateway listens',
        STARTS_WITHIN_MS,
        () => accepts(port),
        () => running.get('secure gateway')?.logTail() ?? '',
      )
      return `https://127.0.0.1:${port}`
    },
    async stop() {
      await Promise.all([...running.values()].map((process) => process.stop(STOPS_WITHIN_MS)))
    },
  }
}

function settingsOf(dir: string, [zooKeeper, master, region, rest]: readonly number[]): Record<string, string> {
  return {
    'hbase.cluster.distributed': 'false',
    'hbase.rootdir': `file://${dir}/data`,
    'hbase.tmp.dir': `${dir}/tmp`,
    // writes reach the kernel before they are answered, so that they outlive the process
    'fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem',
    'hbase.wal.provider': 'filesystem',
    'hbase.unsafe.stream.capability.enforce': 'false',
    'hbase.zookeeper.property.dataDir': `${dir}/zk`,
    'hbase.zookeeper.property.clientPort': String(zooKeeper),
    'hbase.zookeeper.property.clientPortAddress': '127.0.0.1',
    'hbase.zookeeper.quorum': '127.0.0.1',
    'hbase.localcluster.assign.random.ports': 'false',
    'hbase.master.port': String(master),
    'hbase.regionserver.port': String(region),
    'hbase.master.info.port': '-1',
    'hbase.regionserver.info.port': '-1',
    'hbase.master.hostname': 'localhost',
    'hbase.regionserver.hostname': 'localhost',
    'hbase.master.ipc.address': '127.0.0.1',
    'hbase.regionserver.ipc.address': '127.0.0.1',
    'hbase.rest.host': '127.0.0.1',
    'hbase.rest.port': String(rest),
    'hbase.rest.info.port': '-1',
    // the test waits for the server, not the gateway
    'hbase.client.retries.number': '3',
    'zookeeper.session.timeout': '10000',
  }
}

function siteOf(settings: Readonly<Record<string, string>>): string {
  const properties = Object.entries(settings).map(
    ([name, value]) => `<property><name>${name}</name><value>${value}</value></property>`,
  )
  return `<configuration>\n${properties.join('\n')}\n</configuration>\n`
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}
