import { kuduConnector } from '../connector.ts'
import { connectKudu } from './client.ts'

/** The registry loads this. Only this file joins the connector with sockets: everything else is given its client. */
export const connector = kuduConnector(connectKudu)
