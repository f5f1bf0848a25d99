import type { ConnectorDeclaration } from '../../graph/connector-declaration.ts'
import { OptionSet } from '../kit/option-set.ts'

export const declaration: ConnectorDeclaration = {
  name: 'console',
  doc: 'Prints each row as a JSON line, at least once: a restore prints rows again.',
  sink: { options: new OptionSet({}) },
}
