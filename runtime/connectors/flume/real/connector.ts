import { connectKafka } from '../../kafka/real/client.ts'
import { flumeConnector } from '../connector.ts'

/** What the registry loads. */
export const connector = flumeConnector(connectKafka)
