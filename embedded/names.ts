const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/
const QUALIFIED_NAME = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/

export function isLabelValue(text: string): boolean {
  return text.length <= 63 && LABEL_VALUE.test(text)
}

/** The key of a label or an annotation: a name of at most 63 characters, after a DNS name and a slash or without. */
export function isQualifiedName(text: string): boolean {
  return text.slice(text.indexOf('/') + 1).length <= 63 && QUALIFIED_NAME.test(text)
}
