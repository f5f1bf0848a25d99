import { MillraceError } from '../../model/errors.ts'

export function outputLost(what: string, cause?: unknown): MillraceError {
  return new MillraceError('SINK_OUTPUT_LOST', `checkpointed output ${what}`, {
    domain: 'platform',
    cause,
    hint: 'part files must stay where they are until the next checkpoint; restore from another checkpoint, or put the file back',
  })
}

export function committableInvalid(operatorId: string, wish: string): MillraceError {
  return new MillraceError(
    'COMMITTABLE_INVALID',
    `the checkpoint asks ${wish}, which is no part of the sink ${operatorId}`,
    { domain: 'platform', hint: 'the savepoint was changed, or was written by another sink: start without it' },
  )
}
