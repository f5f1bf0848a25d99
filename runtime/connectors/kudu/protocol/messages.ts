import { message, repeated } from '../../kit/protobuf.ts'

/**
 * The part of Kudu's protocol, 1.12 to 1.19, that a client needs: some of the fields of src/kudu/rpc/rpc_header.proto,
 * common/{common,wire_protocol}.proto, master/master.proto and tserver/{tserver,tserver_service}.proto of apache/kudu.
 */
const hostPort = message({ host: [1, 'text'], port: [2, 'int'] })
export const status = message({ code: [1, 'int'], message: [2, 'text'] })
const serverError = message({ code: [1, 'int'], status: [2, status] })

export const requestHeader = message({
  callId: [3, 'int'],
  remoteMethod: [6, message({ service: [1, 'text'], method: [2, 'text'] })],
  timeoutMs: [10, 'int'],
  requiredFeatures: [11, repeated('int')],
  requestId: [
    15,
    message({ clientId: [1, 'text'], seqNo: [2, 'int'], firstIncomplete: [3, 'int'], attemptNo: [4, 'int'] }),
  ],
})
export const responseHeader = message({
  callId: [1, 'int'],
  isError: [2, 'bool'],
  sidecarOffsets: [3, repeated('int')],
})
export const rpcError = message({ message: [1, 'text'], code: [2, 'int'] })

const empty = message({})
export const negotiation = message({
  features: [1, repeated('int')],
  step: [2, 'int'],
  token: [3, 'bytes'],
  mechanisms: [4, repeated(message({ mechanism: [2, 'text'] }))],
  tlsHandshake: [5, 'bytes'],
  authentication: [7, repeated(message({ sasl: [1, empty] }))],
})
export const connectionContext = empty

export const signedToken = message({ data: [1, 'bytes'], signature: [2, 'bytes'], keySeqNo: [3, 'int'] })
const typeAttributes = message({ precision: [1, 'int'], scale: [2, 'int'], length: [3, 'int'] })
export const columnSchema = message({
  id: [1, 'int'],
  name: [2, 'text'],
  type: [3, 'int'],
  isKey: [4, 'bool'],
  isNullable: [5, 'bool'],
  readDefault: [6, 'bytes'],
  attributes: [11, typeAttributes],
})
const schema = message({ columns: [1, repeated(columnSchema)] })
const columnId = message({ id: [1, 'int'], name: [2, 'text'] })
export const hashSchema = message({ columns: [1, repeated(columnId)], buckets: [2, 'int'], seed: [3, 'int'] })
const rowOperations = message({ rows: [2, 'bytes'], indirect: [3, 'bytes'] })
export const partitionSchema = message({
  hash: [1, repeated(hashSchema)],
  range: [2, message({ columns: [1, repeated(columnId)] })],
  customRanges: [5, repeated(message({ bounds: [1, rowOperations] }))],
})
const tableIdentifier = message({ id: [1, 'bytes'], name: [2, 'text'] })

export const connectToMaster = empty
export const masterInfo = message({ error: [1, serverError], role: [2, 'int'], masters: [5, repeated(hostPort)] })
export const getTableSchema = message({ table: [1, tableIdentifier] })
export const tableSchema = message({
  error: [1, serverError],
  schema: [2, schema],
  id: [4, 'bytes'],
  partition: [5, partitionSchema],
  name: [7, 'text'],
  authorization: [8, signedToken],
})
export const getTableLocations = message({
  table: [1, tableIdentifier],
  keyStart: [3, 'bytes'],
  most: [5, 'int'],
  internsServers: [7, 'bool'],
})
export const tableLocations = message({
  error: [1, serverError],
  tablets: [
    2,
    repeated(
      message({
        id: [1, 'bytes'],
        partition: [6, message({ keyStart: [2, 'bytes'], keyEnd: [3, 'bytes'] })],
        replicas: [7, repeated(message({ server: [1, 'int'], role: [2, 'int'] }))],
      }),
    ),
  ],
  servers: [4, repeated(message({ id: [1, 'bytes'], addresses: [2, repeated(hostPort)] }))],
})

export const writeRequest = message({
  tablet: [1, 'bytes'],
  schema: [2, schema],
  operations: [3, rowOperations],
  consistency: [4, 'int'],
  propagated: [5, 'fixed64'],
  authorization: [6, signedToken],
})
export const writeAnswer = message({
  error: [1, serverError],
  rowErrors: [2, repeated(message({ row: [1, 'int'], error: [2, status] }))],
  timestamp: [3, 'fixed64'],
})

const columnPredicate = message({
  column: [1, 'text'],
  range: [2, message({ lower: [1, 'bytes'], upper: [2, 'bytes'] })],
  equality: [3, message({ value: [1, 'bytes'] })],
})
export const newScan = message({
  tablet: [1, 'bytes'],
  limit: [2, 'int'],
  columns: [4, repeated(columnSchema)],
  readMode: [5, 'int'],
  snapshot: [6, 'fixed64'],
  propagated: [7, 'fixed64'],
  cacheBlocks: [10, 'bool'],
  orderMode: [11, 'int'],
  lastKey: [12, 'bytes'],
  predicates: [13, repeated(columnPredicate)],
  formatFlags: [14, 'int'],
  authorization: [15, signedToken],
  snapshotStart: [16, 'fixed64'],
})
export const scanRequest = message({
  scanner: [1, 'bytes'],
  opens: [2, newScan],
  callSeqNo: [3, 'int'],
  batchBytes: [4, 'int'],
  closes: [5, 'bool'],
})
const sidecarsOfColumn = message({ data: [1, 'int'], varlen: [2, 'int'], nonNull: [3, 'int'] })
export const scanAnswer = message({
  error: [1, serverError],
  scanner: [2, 'bytes'],
  hasMore: [3, 'bool'],
  rowwise: [4, message({ rows: [1, 'int'] })],
  columnar: [5, message({ columns: [1, repeated(sidecarsOfColumn)], rows: [2, 'int'] })],
  snapshot: [6, 'fixed64'],
  lastKey: [7, 'bytes'],
  propagated: [9, 'fixed64'],
})
