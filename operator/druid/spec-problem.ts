export interface SpecProblem {
  path: string
  message: string
  hint?: string
}

/** Of the names that a mapping from outside has, those that are not in the list. */
export function allowedNames(
  path: string,
  values: Readonly<Record<string, unknown>>,
  allowed: readonly string[],
): SpecProblem[] {
  return Object.keys(values)
    .filter((name) => !allowed.includes(name))
    .map((name) => ({
      path: `${path}[${name}]`,
      message: `'${name}' is not allowed`,
      hint: `Allowed are ${allowed.join(', ')}.`,
    }))
}
