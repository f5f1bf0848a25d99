import { builtinConnectors } from '../runtime/builtin-connectors.ts'

// A module takes real time to load, and virtual time does not wait for it: a run would go on without the connector.
await builtinConnectors.preload(['console', 'file', 'nexmark'])

/** The connectors of simulated processes, loaded before virtual time begins. */
export const simulatedConnectors = builtinConnectors
