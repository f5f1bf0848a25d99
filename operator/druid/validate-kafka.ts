import type { SpecProblem } from './spec-problem.ts'

/**
 * Consumer properties that cannot make Druid load classes, read files or talk to another host
 * (the class of CVE-2023-25194): no JAAS, no stores, no interceptors, no config providers.
 */
export const CONSUMER_PROPERTIES: readonly string[] = [
  'client.id',
  'client.rack',
  'connections.max.idle.ms',
  'default.api.timeout.ms',
  'fetch.max.bytes',
  'fetch.max.wait.ms',
  'fetch.min.bytes',
  'max.partition.fetch.bytes',
  'max.poll.records',
  'receive.buffer.bytes',
  'reconnect.backoff.max.ms',
  'reconnect.backoff.ms',
  'request.timeout.ms',
  'retry.backoff.ms',
  'security.protocol',
  'send.buffer.bytes',
  'session.timeout.ms',
]

/** Druid answers 200 to brokers without a port and then never starts a task. */
export function brokerProblems(brokers: string, path: string): SpecProblem[] {
  return brokers
    .split(',')
    .filter((broker) => !isBrokerAddress(broker))
    .map((broker) => ({
      path,
      message: `'${broker}' is not a broker address`,
      hint: 'Write host:port, several separated by commas without spaces; ports are from 1 to 65535.',
    }))
}

function isBrokerAddress(text: string): boolean {
  const port = Number(/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text)?.[1] ?? 0)
  return port >= 1 && port <= 65_535
}
