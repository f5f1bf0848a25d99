/** The port, each of whose calls is made by `wrap`. */
export function wrapped<T extends object>(port: T, wrap: (name: PropertyKey, call: () => unknown) => unknown): T {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown =>
        wrap(name, () => (member as (...given: unknown[]) => unknown).apply(target, args))
    },
  })
}
