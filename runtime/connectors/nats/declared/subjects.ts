/** Whether a subject is one of those that a pattern stands for: `*` is any token, `>` at the end any more of them. */
export function matchesSubject(subject: string, pattern: string): boolean {
  const tokens = subject.split('.')
  const wanted = pattern.split('.')
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return tokens.length > index
    if (index >= tokens.length || (token !== '*' && token !== tokens[index])) return false
  }
  return tokens.length === wanted.length
}

/** A subject that a message can have: tokens without white space and wildcards, separated by dots. */
export const LITERAL_SUBJECT = /^[^\s.*>]+(?:\.[^\s.*>]+)*$/u
/** The same with wildcards. */
export const SUBJECT_PATTERN = /^(?:(?:[^\s.*>]+|\*)\.)*(?:[^\s.*>]+|\*|>)$/u
