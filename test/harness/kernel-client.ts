import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Dealer } from 'zeromq'
import { PROTOCOL_VERSION, Wire } from '../../cli/kernel/wire.ts'
import { freePorts } from './beds/free-port.ts'

/** The key of the connection files that tests write. */
export const KERNEL_KEY = 'the-key-of-this-test'

/** A connection file of ports that are free, as Jupyter writes it. */
export interface WrittenConnection {
  readonly file: string
  readonly shell: number
  readonly heartbeat: number
}

export async function writeConnection(folder: string): Promise<WrittenConnection> {
  const [shell = 0, iopub, stdin, control, heartbeat = 0] = await freePorts(5)
  const ports = { shell_port: shell, iopub_port: iopub, stdin_port: stdin, control_port: control, hb_port: heartbeat }
  const file = join(folder, `connection-${shell}.json`)
  const rest = { transport: 'tcp', ip: '127.0.0.1', signature_scheme: 'hmac-sha256', key: KERNEL_KEY }
  writeFileSync(file, JSON.stringify({ ...rest, ...ports }))
  return { file, shell, heartbeat }
}

/** The frames of a request of a client. */
export function requestFrames(
  id: string,
  { type = 'kernel_info_request', content = {}, key = KERNEL_KEY } = {},
): Buffer[] {
  const header = { msg_id: id, msg_type: type, session: 's', username: 'u', date: 'd', version: PROTOCOL_VERSION }
  return new Wire(key).frames({ identities: [], header, parentHeader: {}, metadata: {}, content })
}

/** The next answer: which request it answers, and what it says. */
export async function nextAnswer(client: Dealer): Promise<{ id: unknown; content: Record<string, unknown> }> {
  const answer = await client.receive()
  const [parent, , content] = answer.slice(-3).map((part) => JSON.parse(part.toString()) as Record<string, unknown>)
  return { id: parent?.['msg_id'], content: content ?? {} }
}
