import { connectKafka } from '../../kafka/real/client.ts'
import { druidConnector } from '../connector.ts'

/** What the registry loads. Only this file joins the connector with sockets: everything else is given its client. */
export const connector = druidConnector(connectKafka)
