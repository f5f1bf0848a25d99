import { shown, type OptionType } from '../../kit/option-types.ts'

const DEFAULT_NAMESPACE = 'persistent://public/default/'
const PARTITION_SUFFIX = '-partition-'

/** Gives the full name: `orders` is `persistent://public/default/orders`, `a/b/orders` is `persistent://a/b/orders`. */
export const topicName: OptionType<string> = {
  name: 'topic: name, tenant/namespace/name or persistent://tenant/namespace/name',
  read: (value, report) => {
    const topic = typeof value === 'string' ? fullName(value) : undefined
    if (topic === undefined)
      report(
        '',
        `must be a topic, found ${shown(value)}`,
        'non-persistent topics keep nothing and cannot be read again',
      )
    return topic
  },
}

export const topicNames: OptionType<readonly string[]> = {
  name: 'list of topics',
  read: (value, report) => {
    if (!Array.isArray(value) || value.length === 0) {
      report('', 'must be a list of topics')
      return undefined
    }
    const topics = value.map((topic: unknown, index) =>
      topicName.read(topic, (_path, message, hint) => {
        report(`[${index}]`, message, hint)
      }),
    )
    const known = topics.filter((topic) => topic !== undefined)
    if (known.length < topics.length) return undefined
    if (new Set(known).size === known.length) return known
    report('', 'names a topic twice')
    return undefined
  },
}

/** The topic that a partition of a partitioned topic is. */
export function partitionTopic(topic: string, partition: number): string {
  return `${topic}${PARTITION_SUFFIX}${partition}`
}

function fullName(text: string): string | undefined {
  if (/^persistent:\/\/[^/\s]+\/[^/\s]+\/[^/\s]+$/.test(text)) return text
  if (/^[^/\s:]+\/[^/\s]+\/[^/\s]+$/.test(text)) return `persistent://${text}`
  return /^[^/\s:]+$/.test(text) ? `${DEFAULT_NAMESPACE}${text}` : undefined
}
