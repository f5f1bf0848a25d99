import { connectKafka } from '../../kafka/real/client.ts'
import { tcpConnector } from '../connector.ts'

/** What the registry loads. */
export const connector = tcpConnector(connectKafka)
