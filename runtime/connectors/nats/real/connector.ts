import { natsConnector } from '../connector.ts'
import { connectNats } from './client.ts'

/** The registry loads this. Only this file joins the connector with sockets: everything else is given its client. */
export const connector = natsConnector(connectNats)
