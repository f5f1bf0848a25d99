import { kuduConnector } from '../connector.ts'
import { connectKudu } from './client.ts'

/** What the registry loads. Only this file joins the connector with sockets: everything else is given its client. */
export const connector = kuduConnector(connectKudu)
