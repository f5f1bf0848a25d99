import type { Patience } from './waiting-peers.ts'

/** Connections of a port at once whose peers have not proven who they are. */
export const MOST_STRANGERS = 64
/** From being accepted to having proven it. */
export const PROOF_MS = 5_000

/** What a peer costs before it has proven who it is: a place among so many, for a short time. */
export const STRANGERS: Patience = { most: MOST_STRANGERS, ms: PROOF_MS, yet: 'proven who it is' }
