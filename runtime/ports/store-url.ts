import { MillraceError } from '../model/errors.ts'
import { cassandraLocationOf } from './cassandra-location.ts'
import { hbaseLocationOf } from './hbase-location.ts'
import { kuduLocationOf } from './kudu-location.ts'
import { checkObjectsUrl } from './objects-url.ts'
import { isStoreScheme, schemeOf } from './store.ts'

/**
 * Checks what can be known of a checkpoint store without asking it, before `Ports.openStore` opens it. A plain path is a
 * folder. Throws STORE_UNSUPPORTED, STORE_URL_INVALID or OBJECTS_URL_INVALID (domain user).
 */
export function checkStoreUrl(url: string): void {
  const scheme = schemeOf(url)
  if (!isStoreScheme(scheme))
    throw new MillraceError('STORE_UNSUPPORTED', `there is no store of kind ${JSON.stringify(scheme)}`, {
      domain: 'user',
      hint: 'use file:///folder, a plain path, s3://bucket/prefix, hdfs://namenode:9870/folder, kudu://master:7051/table, cassandra://node:9042/keyspace/table or hbase://gateway:8080/table',
    })
  if (scheme === 'kudu') kuduLocationOf(url)
  else if (scheme === 'cassandra') cassandraLocationOf(url)
  else if (scheme === 'hbase') hbaseLocationOf(url)
  else checkObjectsUrl(url)
}
