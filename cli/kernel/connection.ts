import { isFields, type Fields } from '../../runtime/model/fields.ts'
import { MillraceError } from '../../runtime/model/errors.ts'

const PORTS = ['shell_port', 'control_port', 'iopub_port', 'stdin_port', 'hb_port'] as const

/** Where the kernel listens, and the key of its messages: what Jupyter writes into the connection file. */
export interface Connection {
  readonly ip: string
  readonly key: string
  readonly ports: Readonly<Record<(typeof PORTS)[number], number>>
}

/** Reads the text of a connection file. Throws CONNECTION_FILE_INVALID; the key is in no message. */
export function readConnection(file: string, text: string): Connection {
  const fields = connectionFields(file, text)
  const { transport, ip, key, signature_scheme: scheme } = fields
  if (transport !== 'tcp') throw invalid(file, `transport is ${shown(transport)}, only "tcp" is there`)
  if (scheme !== 'hmac-sha256') throw invalid(file, `signature_scheme is ${shown(scheme)}, only "hmac-sha256" is there`)
  if (typeof ip !== 'string' || ip === '') throw invalid(file, `ip is ${shown(ip)}, an address is needed`)
  if (typeof key !== 'string' || key === '')
    throw invalid(file, 'key is missing: without it anybody who reaches the ports could run jobs')
  const port = (name: (typeof PORTS)[number]): number => {
    const value = fields[name]
    if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536) return value
    throw invalid(file, `${name} is ${shown(value)}, a port is needed`)
  }
  return {
    ip,
    key,
    ports: {
      shell_port: port('shell_port'),
      control_port: port('control_port'),
      iopub_port: port('iopub_port'),
      stdin_port: port('stdin_port'),
      hb_port: port('hb_port'),
    },
  }
}

function connectionFields(file: string, text: string): Fields {
  try {
    const value: unknown = JSON.parse(text)
    if (isFields(value)) return value
  } catch {
    // what the parser says would repeat a part of the text, and the key may be in it
  }
  throw invalid(file, 'it holds no JSON object')
}

function invalid(file: string, why: string): MillraceError {
  return new MillraceError('CONNECTION_FILE_INVALID', `connection file ${file}: ${why}`, {
    domain: 'user',
    hint: 'Jupyter writes this file and starts the kernel: millrace kernel install, then jupyter lab',
  })
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80)
}
