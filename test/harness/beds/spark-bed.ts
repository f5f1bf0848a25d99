import { join } from 'node:path'
import { fetchJars, javaMissing } from './maven.ts'
import { pythonBedMissing, runPython } from './python-bed.ts'

/** Delta and the Kafka connector. */
export const SPARK_POM = join(import.meta.dirname, 'spark', 'pom.xml')

/** Why a real Spark can not run here, or undefined. */
export function sparkBedMissing(): string | undefined {
  return javaMissing() ?? pythonBedMissing()
}

/** The rows of a table, a file or a topic as Spark reads them, with values as exact texts. */
export interface SparkRows {
  /** Spark's names of types by column. */
  readonly types: Readonly<Record<string, string>>
  readonly rows: readonly Readonly<Record<string, string | null>>[]
}

/**
 * Runs commands of `python/spark_exchange.py` in one Spark 4.0.0 on this machine (pyspark, with Delta 4.0.0 and the Kafka
 * connector): what those that read have found, in their order.
 */
export async function runSpark(...commands: readonly string[]): Promise<SparkRows[]> {
  const jars = await fetchJars('spark', SPARK_POM, '40 MB, about 10 s')
  return (await runPython('spark_exchange.py', commands, {
    packages: 'spark',
    env: sparkEnvironment(jars),
  })) as SparkRows[]
}

/** The environment of a Python that starts Spark with these jars. */
export function sparkEnvironment(jars: string): NodeJS.ProcessEnv {
  return {
    SPARK_LOCAL_IP: '127.0.0.1',
    PYSPARK_SUBMIT_ARGS: `--driver-memory 1g --driver-class-path ${jars}/* pyspark-shell`,
  }
}
