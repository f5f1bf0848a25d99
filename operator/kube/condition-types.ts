/** What a condition of each type says, by the kind that has it; for docs/operations.md. */
export const CONDITION_TYPES = {
  Ready: {
    of: ['StreamJob', 'StreamSavepoint', 'DruidDatasource'],
    means: 'The newest spec is what runs, the savepoint is complete, Druid has the supervisor.',
  },
  Reconciling: { of: ['StreamJob', 'DruidDatasource'], means: 'Something is under way.' },
  Stalled: {
    of: ['StreamJob', 'DruidDatasource'],
    means: "It does not get on without somebody's help. It is tried again, and goes on by itself when that came.",
  },
  Healthy: {
    of: ['StreamJob', 'DruidDatasource'],
    means: 'Records flow and checkpoints complete, or Druid calls the supervisor healthy. Does not decide on Ready.',
  },
  Stable: {
    of: ['StreamJob'],
    means:
      'The spec has run for spec.upgrade.stability with a checkpoint; until then it gives way to the one before it.',
  },
  Completed: { of: ['StreamSavepoint'], means: 'The savepoint is complete.' },
  Reachable: { of: ['DruidDatasource'], means: 'Druid answers.' },
  Applied: { of: ['DruidDatasource'], means: 'Druid has taken the newest specification.' },
  Configured: {
    of: ['DruidDatasource'],
    means: 'Retention and compaction are as written. Only where the resource names one; does not decide on Ready.',
  },
  Drifted: { of: ['DruidDatasource'], means: 'Somebody has changed the supervisor in Druid.' },
} as const

export type ConditionType = keyof typeof CONDITION_TYPES
