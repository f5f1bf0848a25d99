import { isCollection, isScalar, visit, type Document, type Scalar } from 'yaml'

/** A place in a YAML file that kubectl does not read as Millrace does. */
export interface KubectlDifference {
  /** Where the value begins in the file, in characters. */
  offset: number
  message: string
}

/**
 * Millrace reads YAML 1.2; kubectl reads 1.1 with the resolver and the scanner of go-yaml 2 (`resolve.go`,
 * `scannerc.go`; sigs.k8s.io/yaml). A job must be the same job under both.
 */
export function kubectlDifferences(document: Document): KubectlDifference[] {
  const differences: KubectlDifference[] = []
  visit(document, {
    Scalar(_, scalar, path) {
      const isInFlow = path.some((parent) => isCollection(parent) && parent.flow === true)
      const message = differenceOf(scalar, isInFlow)
      if (message !== undefined) differences.push({ offset: scalar.range?.[0] ?? 0, message })
    },
  })
  return differences
}

/** Only plain texts are resolved to other values. */
function differenceOf(scalar: Scalar, isInFlow: boolean): string | undefined {
  if (!isScalar(scalar) || scalar.type !== 'PLAIN' || scalar.source === undefined) return undefined
  const text = scalar.source
  if (isInFlow && text.includes('?')) return `kubectl refuses a ? without quotes inside { } and [ ]: ${text}`
  if (/^(?:y|Y|yes|Yes|YES|on|On|ON)$/.test(text)) return `kubectl reads ${text} as true`
  if (/^(?:n|N|no|No|NO|off|Off|OFF)$/.test(text)) return `kubectl reads ${text} as false`
  if (/^[-+]?0[0-7_]+$/.test(text)) return `kubectl reads ${text} as an octal number`
  if (/^[-+]?0b[01_]+$/.test(text)) return `kubectl reads ${text} as a binary number`
  if (/^[-+]?[\d_]*\d_[\d_]*(?:\.[\d_]*)?$/.test(text))
    return `kubectl reads ${text} as a number without its underscores`
  if (/^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/.test(text)) return `kubectl refuses ${text}`
  return undefined
}
