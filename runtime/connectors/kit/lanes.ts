/**
 * Calls `act` for each item, so many side by side. Rejects as the first call that does, when those under way have ended;
 * no further one begins then.
 */
export async function inLanes<T>(
  lanes: number,
  items: IteratorObject<T>,
  act: (item: T) => Promise<void>,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  const lane = async (): Promise<void> => {
    for (const item of items) {
      try {
        await act(item)
      } catch (error) {
        failure ??= { error }
      }
      if (failure !== undefined) return
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  if (failure !== undefined) throw failure.error
}
