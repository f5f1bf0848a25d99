import { webhookConnector } from '../connector.ts'
import { listenWebhook } from './server.ts'

/** What the registry loads. Only this file joins the connector with sockets: everything else is given its server. */
export const connector = webhookConnector(listenWebhook)
