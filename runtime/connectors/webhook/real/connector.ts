import { connectKafka } from '../../kafka/real/client.ts'
import { webhookConnector } from '../connector.ts'
import { listenWebhook } from './server.ts'

/** The registry loads this. Only this file joins the connector with sockets: everything else is given its server. */
export const connector = webhookConnector(listenWebhook, connectKafka)
