import { decodeMessage, encodeMessage, message, repeated, type Values } from '../../kit/protobuf.ts'

/**
 * The part of Pulsar's protocol, 2.8 to 4.x, that a client needs: some of the fields of
 * pulsar-common/src/main/proto/PulsarApi.proto of apache/pulsar.
 */
const keyValue = message({ key: [1, 'text'], value: [2, 'foreignText'] })

export const messageId = message({
  ledger: [1, 'int'],
  entry: [2, 'int'],
  partition: [3, 'int'],
  batchIndex: [4, 'int'],
})

/** It stands before the payload of an entry. */
export const entryMetadata = message({
  producerName: [1, 'text'],
  sequenceId: [2, 'int'],
  publishTime: [3, 'int'],
  properties: [4, repeated(keyValue)],
  partitionKey: [6, 'foreignText'],
  compression: [8, 'int'],
  uncompressedSize: [9, 'int'],
  /** Present: the payload is a batch, of one message too. */
  messagesInBatch: [11, 'int'],
  eventTime: [12, 'int'],
  encryptionKeys: [13, repeated(message({ key: [1, 'text'] }))],
  isKeyBase64: [17, 'bool'],
  highestSequenceId: [24, 'int'],
  isNull: [25, 'bool'],
  chunks: [27, 'int'],
})

/** It stands before each message of a batch. */
export const messageMetadata = message({
  properties: [1, repeated(keyValue)],
  partitionKey: [2, 'foreignText'],
  payloadSize: [3, 'int'],
  isCompactedOut: [4, 'bool'],
  eventTime: [5, 'int'],
  isKeyBase64: [6, 'bool'],
  sequenceId: [8, 'int'],
  isNull: [9, 'bool'],
})

const requestId = [1, 'int'] as const
const error = { error: [4, 'int'], message: [5, 'text'] } as const
const authData = message({ method: [1, 'text'], data: [2, 'bytes'] })

/** One of its fields is present, and `type` is the number of that field. */
const command = message({
  type: [1, 'int'],
  connect: [
    2,
    message({
      clientVersion: [1, 'text'],
      authData: [3, 'bytes'],
      protocolVersion: [4, 'int'],
      authMethod: [5, 'text'],
      proxyToBrokerUrl: [6, 'text'],
      features: [10, message({ refreshesLogin: [1, 'bool'] })],
    }),
  ],
  connected: [3, message({ serverVersion: [1, 'text'], protocolVersion: [2, 'int'], maxMessageSize: [3, 'int'] })],
  subscribe: [
    4,
    message({
      topic: [1, 'text'],
      subscription: [2, 'text'],
      type: [3, 'int'],
      consumerId: [4, 'int'],
      requestId: [5, 'int'],
      isDurable: [8, 'bool'],
      startAt: [9, messageId],
      initialPosition: [13, 'int'],
      createsTopic: [15, 'bool'],
      startSecondsAgo: [16, 'int'],
    }),
  ],
  producer: [
    5,
    message({
      topic: [1, 'text'],
      producerId: [2, 'int'],
      requestId: [3, 'int'],
      name: [4, 'text'],
      epoch: [8, 'int'],
      hasOwnName: [9, 'bool'],
    }),
  ],
  send: [
    6,
    message({ producerId: [1, 'int'], sequenceId: [2, 'int'], messages: [3, 'int'], highestSequenceId: [6, 'int'] }),
  ],
  sendReceipt: [7, message({ producerId: [1, 'int'], sequenceId: [2, 'int'], messageId: [3, messageId] })],
  sendError: [8, message({ producerId: [1, 'int'], sequenceId: [2, 'int'], error: [3, 'int'], message: [4, 'text'] })],
  message: [9, message({ consumerId: [1, 'int'], messageId: [2, messageId] })],
  ack: [10, message({ consumerId: [1, 'int'], type: [2, 'int'], messageIds: [3, repeated(messageId)] })],
  flow: [11, message({ consumerId: [1, 'int'], permits: [2, 'int'] })],
  unsubscribe: [12, message({ consumerId: [1, 'int'], requestId: [2, 'int'] })],
  success: [13, message({ requestId })],
  error: [14, message({ requestId, error: [2, 'int'], message: [3, 'text'] })],
  closeProducer: [15, message({ producerId: [1, 'int'], requestId: [2, 'int'] })],
  closeConsumer: [16, message({ consumerId: [1, 'int'], requestId: [2, 'int'] })],
  producerSuccess: [17, message({ requestId, name: [2, 'text'], lastSequenceId: [3, 'int'], isReady: [6, 'bool'] })],
  ping: [18, message({})],
  pong: [19, message({})],
  partitions: [21, message({ topic: [1, 'text'], requestId: [2, 'int'] })],
  partitionsAnswer: [22, message({ partitions: [1, 'int'], requestId: [2, 'int'], ...error })],
  lookup: [23, message({ topic: [1, 'text'], requestId: [2, 'int'], isAuthoritative: [3, 'bool'] })],
  lookupAnswer: [
    24,
    message({
      brokerUrl: [1, 'text'],
      brokerUrlTls: [2, 'text'],
      answer: [3, 'int'],
      requestId: [4, 'int'],
      isAuthoritative: [5, 'bool'],
      error: [6, 'int'],
      message: [7, 'text'],
      throughServiceUrl: [8, 'bool'],
    }),
  ],
  endOfTopic: [27, message({ consumerId: [1, 'int'] })],
  seek: [28, message({ consumerId: [1, 'int'], requestId: [2, 'int'], messageId: [3, messageId] })],
  lastMessageId: [29, message({ consumerId: [1, 'int'], requestId: [2, 'int'] })],
  lastMessageIdAnswer: [30, message({ messageId: [1, messageId], requestId: [2, 'int'], read: [3, messageId] })],
  topicsOfNamespace: [32, message({ requestId, namespace: [2, 'text'] })],
  topicsOfNamespaceAnswer: [33, message({ requestId, topics: [2, repeated('text')] })],
  authChallenge: [36, message({ challenge: [2, authData] })],
  authResponse: [37, message({ clientVersion: [1, 'text'], response: [2, authData], protocolVersion: [3, 'int'] })],
})

export type Command = Values<typeof command>
export type MessageId = Values<typeof messageId>
export type EntryMetadata = Values<typeof entryMetadata>
export type MessageMetadata = Values<typeof messageMetadata>

/** CommandSubscribe.SubType. */
export const SUBSCRIPTION = { exclusive: 0, failover: 2 } as const
/** CommandSubscribe.InitialPosition. */
export const INITIAL_POSITION = { latest: 0, earliest: 1 } as const
/** CommandAck.AckType. */
export const ACK = { cumulative: 1 } as const
/** CommandLookupTopicResponse.LookupType. */
export const LOOKUP = { redirect: 0, connect: 1, failed: 2 } as const

/** `values` has one field; `type` is added. */
export function encodeCommand(values: Omit<Command, 'type'>): Buffer {
  const [name] = Object.keys(values)
  const type = name === undefined ? undefined : command.fields[name as keyof Command][0]
  return encodeMessage(command, { type, ...values })
}

/** Throws PROTOBUF_INVALID. */
export function decodeCommand(bytes: Buffer): Command {
  return decodeMessage(command, bytes)
}
