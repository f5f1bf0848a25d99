import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePorts } from './free-port.ts'
import { fetchJars, javaMissing } from './maven.ts'
import { runCommand } from './run-command.ts'
import { spawnTied, type TiedProcess } from './tied-process.ts'
import { bodyIfOk, waitFor } from './wait-for.ts'

const STARTS_WITHIN_MS = 90_000
const SERVERS = 'org.apache.hadoop.hdfs.server'
const USER = 'bed'

export interface HdfsDaemon {
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it again on the same ports and data. */
  launch(): Promise<void>
  /** The same, and returns when the NameNode serves and has its DataNode. */
  start(): Promise<void>
}

export interface HdfsBed {
  /** host:port of WebHDFS. */
  readonly nameNode: string
  /** Whom files belong to. */
  readonly user: string
  readonly nameNodeDaemon: HdfsDaemon
  readonly dataNodeDaemon: HdfsDaemon
  /** `hdfs dfs ARGS`: Hadoop's own client. */
  shell(...args: readonly string[]): Promise<string>
  stop(): Promise<void>
}

/** Why a real HDFS can not run here, or undefined. */
export function hdfsBedMissing(): string | undefined {
  return javaMissing()
}

/** The folder of Hadoop's jars. */
export function fetchHdfs(): Promise<string> {
  return fetchJars('hdfs', join(import.meta.dirname, 'hdfs', 'pom.xml'), '68 MB, about 25 s')
}

/** Starts one NameNode and one DataNode of Hadoop 3.5.0, which end with this process. */
export async function startHdfs(options: { dir: string }): Promise<HdfsBed> {
  const jars = await fetchHdfs()
  const dir = resolve(options.dir)
  const conf = join(dir, 'conf')
  // without these folders both daemons stop: the jars hold no web application
  for (const app of ['hdfs', 'datanode']) mkdirSync(join(conf, 'webapps', app), { recursive: true })
  const ports = await freePorts(5)
  const [rpc, http = 0] = ports
  writeFileSync(join(conf, 'core-site.xml'), siteOf({ 'fs.defaultFS': `hdfs://127.0.0.1:${rpc}` }))
  writeFileSync(join(conf, 'hdfs-site.xml'), siteOf(settingsOf(dir, ports)))
  const java = ['-cp', `${conf}:${jars}/*`, `-Dhadoop.log.dir=${dir}`]
  const env = { ...process.env, HADOOP_USER_NAME: USER }
  await runCommand('java', ['-Xmx256m', ...java, `${SERVERS}.namenode.NameNode`, '-format', '-nonInteractive'], {
    bed: 'hdfs',
    doing: 'formatting',
    env,
  })
  const running = new Map<string, TiedProcess>()
  const serves = async (): Promise<boolean> => {
    const state = await bodyIfOk(`http://127.0.0.1:${http}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystem*`)
    return state?.includes('"NumLiveDataNodes" : 1') === true && !/"Safemode" : "[^"]/.test(state)
  }
  const daemonOf = (name: string, type: string): HdfsDaemon => {
    const launch = async (): Promise<void> => {
      const log = join(dir, `${name}.log`)
      running.set(name, await spawnTied('java', ['-Xmx512m', ...java, `${SERVERS}.${type}`], { log, env, cwd: dir }))
    }
    return {
      launch,
      kill: async () => running.get(name)?.kill(),
      start: async () => {
        await launch()
        await waitFor('HDFS serves', STARTS_WITHIN_MS, serves, () => running.get(name)?.logTail() ?? '')
      },
    }
  }
  const nameNodeDaemon = daemonOf('namenode', 'namenode.NameNode')
  const dataNodeDaemon = daemonOf('datanode', 'datanode.DataNode')
  await nameNodeDaemon.launch()
  await dataNodeDaemon.start()
  return {
    nameNode: `127.0.0.1:${http}`,
    user: USER,
    nameNodeDaemon,
    dataNodeDaemon,
    shell: (...args) =>
      runCommand('java', ['-Xmx128m', ...java, 'org.apache.hadoop.fs.FsShell', ...args], {
        bed: 'hdfs',
        doing: args.slice(0, 2).join(' '),
        env,
      }),
    stop: async () => {
      for (const daemon of running.values()) await daemon.kill()
    },
  }
}

function settingsOf(dir: string, [rpc, http, data, dataHttp, ipc]: readonly number[]): Record<string, string> {
  return {
    'dfs.replication': '1',
    'dfs.namenode.name.dir': `file://${dir}/names`,
    'dfs.datanode.data.dir': `file://${dir}/blocks`,
    'dfs.namenode.rpc-address': `127.0.0.1:${rpc}`,
    'dfs.namenode.http-address': `127.0.0.1:${http}`,
    'dfs.namenode.http-bind-host': '127.0.0.1',
    'dfs.datanode.address': `127.0.0.1:${data}`,
    'dfs.datanode.http.address': `127.0.0.1:${dataHttp}`,
    'dfs.datanode.ipc.address': `127.0.0.1:${ipc}`,
    'dfs.datanode.hostname': '127.0.0.1',
    'dfs.permissions.enabled': 'false',
    'dfs.namenode.safemode.extension': '0',
    'dfs.datanode.du.reserved': '0',
    // the disk is not waited for: what a process that is killed has written is there all the same
    'dfs.namenode.edits.noeditlogchannelflush': 'true',
    // a DataNode that was killed is missed soon
    'dfs.heartbeat.interval': '1',
    'dfs.namenode.heartbeat.recheck-interval': '2000',
  }
}

function siteOf(settings: Readonly<Record<string, string>>): string {
  const properties = Object.entries(settings).map(
    ([name, value]) => `<property><name>${name}</name><value>${value}</value></property>`,
  )
  return `<configuration>\n${properties.join('\n')}\n</configuration>\n`
}
