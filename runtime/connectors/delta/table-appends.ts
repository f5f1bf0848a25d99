import { missingFiles, transactionOf, type DeltaCommittable } from './committable.ts'
import type { SinkTable } from './sink-table.ts'

/**
 * Appends what the table does not have yet of these, in one version; none when it has all. Rejects as SinkTable does.
 */
export async function appendFiles(
  table: SinkTable,
  committables: readonly DeltaCommittable[],
  now: () => number,
): Promise<void> {
  for (let lost = 0; ; lost++) {
    const state = await table.current()
    const actions = committables.flatMap((committable) => {
      const missing = missingFiles(state, committable)
      if (missing.length === 0) return []
      const files = missing.flatMap((prepared) => prepared.files)
      return [transactionOf(committable, now()), ...files.map((file) => table.addOf(state, file))]
    })
    if (actions.length === 0) return
    const info = { timestamp: now(), operation: 'STREAMING UPDATE', isBlindAppend: true }
    const commitInfo = { ...info, operationParameters: { outputMode: 'Append' }, engineInfo: 'millrace' }
    if ((await table.put(state, [{ commitInfo }, ...actions], lost)) === 'committed') return
  }
}
