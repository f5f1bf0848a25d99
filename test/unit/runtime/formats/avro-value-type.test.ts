import { expect, test } from 'vitest'
import { avroRecordReader } from '../../../../runtime/formats/avro-reader.ts'
import { parseAvroSchema } from '../../../../runtime/formats/avro-schema.ts'
import { fieldsOfAvro } from '../../../../runtime/formats/avro-value-type.ts'
import { valueTypeText } from '../../../../runtime/model/value-type.ts'

const DECIMAL = { logicalType: 'decimal', precision: 9, scale: 2 }

test.each([
  ['boolean', 'boolean'],
  ['int', 'long'],
  ['long', 'long'],
  ['float', 'double'],
  ['double', 'double'],
  ['string', 'string'],
  ['bytes', 'bytes'],
  ['null', 'json?'],
  [{ type: 'int', logicalType: 'date' }, 'date'],
  [{ type: 'long', logicalType: 'timestamp-millis' }, 'timestamp'],
  [{ type: 'long', logicalType: 'timestamp-micros' }, 'timestamp'],
  [{ type: 'bytes', ...DECIMAL }, 'decimal(9,2)'],
  [{ type: 'fixed', name: 'F', size: 4, ...DECIMAL }, 'decimal(9,2)'],
  [{ type: 'fixed', name: 'G', size: 4 }, 'bytes'],
  [{ type: 'enum', name: 'E', symbols: ['A'] }, 'string'],
  [{ type: 'array', items: ['null', 'long'] }, 'array<long?>'],
  [{ type: 'map', values: 'double' }, 'map<double>'],
  [['null', 'string'], 'string?'],
  [['string', 'null', 'long'], 'json?'],
  [['string', 'long'], 'json'],
  [{ type: 'record', name: 'Inner', fields: [{ name: 'self', type: ['null', 'Inner'] }] }, 'json'],
])('a field of Avro type %j is read as %s', (type, text) => {
  const written = parseAvroSchema({ type: 'record', name: 'R', fields: [{ name: 'a', type }] })
  const { fields } = fieldsOfAvro(written)
  expect(fields.map(valueTypeText)).toEqual([text])
  expect(() => avroRecordReader(written, fields)).not.toThrow()
})

test('names that no field can have are left out and named', () => {
  const written = parseAvroSchema({ type: 'record', name: 'R', fields: [{ name: 'null', type: 'int' }] })
  expect(fieldsOfAvro(written)).toEqual({ fields: [], leftOut: ['null'] })
})
