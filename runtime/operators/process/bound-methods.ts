/**
 * Gives an object methods of its own that work wherever they are taken: `onRow(row, { emit, state: { total: { get } } })`.
 * Users take contexts apart, and a method of a class would lose its object there. Called at the end of a constructor.
 */
export function bindMethods(target: object): void {
  const prototype: unknown = Object.getPrototypeOf(target)
  if (typeof prototype !== 'object' || prototype === null) return
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype)))
    if (name !== 'constructor' && typeof value === 'function')
      Object.defineProperty(target, name, { value: value.bind(target) as unknown, enumerable: true })
}
