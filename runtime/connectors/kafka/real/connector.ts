import { kafkaConnector } from '../connector.ts'
import { connectKafka } from './client.ts'

/** What the registry loads. Only this file joins the connector with sockets: everything else is given its client. */
export const connector = kafkaConnector(connectKafka)
