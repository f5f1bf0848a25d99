import { protocolErrors } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { KAFKA_ERROR, kafkaErrorName } from '../../../../../runtime/connectors/kafka/error-codes.ts'

test('every error of the protocol is called as in another client', () => {
  const theirs = Object.values(protocolErrors as Record<string, { id: string; code: number }>)
  for (const { id, code } of theirs.filter(({ code }) => code !== 0))
    expect(kafkaErrorName(code)).toBe(`${id} (${code})`)
  expect(kafkaErrorName(32)).toBe('INVALID_TIMESTAMP (32)')
  expect(kafkaErrorName(9999)).toBe('error 9999')
})

test('the errors that the connector tells apart have the names of their numbers', () => {
  for (const [name, code] of Object.entries(KAFKA_ERROR)) expect(kafkaErrorName(code)).toBe(`${name} (${code})`)
})
