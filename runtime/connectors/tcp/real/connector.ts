import { realNet } from '../../../ports/real/net.ts'
import { tcpConnector } from '../connector.ts'

/** The registry loads this. Connections of a job's processes may be encrypted; those of senders are plain TCP. */
export const connector = tcpConnector(realNet)
