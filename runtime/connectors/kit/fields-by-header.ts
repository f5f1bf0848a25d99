import { isFields } from '../../model/fields.ts'
import { shown, type OptionType } from './option-types.ts'

/** A mapping of texts; a name may be any. */
export const fieldsByHeader: OptionType<Readonly<Record<string, string>>> = {
  name: 'mapping of fields by header',
  read: (value, report) => {
    if (isFields(value) && Object.values(value).every((field) => typeof field === 'string'))
      return value as Readonly<Record<string, string>>
    report('', `must be a mapping of header: field, found ${shown(value)}`)
    return undefined
  },
}
