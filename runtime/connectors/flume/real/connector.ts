import { realNet } from '../../../ports/real/net.ts'
import { flumeConnector } from '../connector.ts'

/** The registry loads this. Connections of a job's processes may be encrypted; those of agents are plain TCP. */
export const connector = flumeConnector(realNet)
