import { expect, test } from 'vitest'
import { readConnection } from '../../../../cli/kernel/connection.ts'

const WRITTEN = {
  transport: 'tcp',
  ip: '127.0.0.1',
  signature_scheme: 'hmac-sha256',
  key: 'the-secret-key',
  shell_port: 20001,
  iopub_port: 20002,
  stdin_port: 20003,
  control_port: 20004,
  hb_port: 20005,
}

test('when a connection file is as Jupyter writes it, its address, key and ports are read', () => {
  const { transport: _, signature_scheme: __, ip, key, ...ports } = WRITTEN
  expect(readConnection('k.json', JSON.stringify({ ...WRITTEN, kernel_name: 'millrace' }))).toEqual({ ip, key, ports })
})

test.each([
  ['the key is empty', { key: '' }, /key is missing/],
  ['the transport is ipc', { transport: 'ipc' }, /transport is "ipc"/],
  ['the signature scheme is another', { signature_scheme: 'hmac-md5' }, /signature_scheme is "hmac-md5"/],
  ['a port is zero', { hb_port: 0 }, /hb_port is 0/],
  ['a port is a text', { shell_port: '20001' }, /shell_port is "20001"/],
  ['a port is missing', { iopub_port: undefined }, /iopub_port is missing/],
  ['the address is missing', { ip: undefined }, /ip is missing/],
])('when %s, the kernel does not start and the key is not in the message', (_, change, why) => {
  const read = (): unknown => readConnection('k.json', JSON.stringify({ ...WRITTEN, ...change }))
  expect(read).toThrow(
    expect.objectContaining({ code: 'CONNECTION_FILE_INVALID', message: expect.stringMatching(why) }),
  )
  expect(read).not.toThrow(/the-secret-key/)
})

test('when a connection file is no JSON, the message does not repeat it', () => {
  expect(() => readConnection('k.json', '{"key": "the-secret-key')).toThrow(
    /^connection file k.json: it holds no JSON object$/,
  )
})
