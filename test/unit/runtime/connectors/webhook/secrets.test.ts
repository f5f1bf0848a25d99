import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { webhookHandler, type HandlerOptions } from '../../../../../runtime/connectors/webhook/handler.ts'
import type { WebhookRequest } from '../../../../../runtime/connectors/webhook/server.ts'
import { ManualClock } from '../../../../harness/manual-clock.ts'

const BODY = Buffer.from('{"id":"a"}')
const FILE = '/secrets/webhook/key'

const OPTIONS: HandlerOptions = {
  path: '/',
  body: 'row',
  metadata: undefined,
  tokenFile: undefined,
  signature: undefined,
  maxBodyBytes: 1024,
}
const SIGNED: HandlerOptions = {
  ...OPTIONS,
  signature: { header: 'x-signature', secretFile: FILE, algorithm: 'sha256', encoding: 'hex', prefix: '' },
}

function request(headers: Readonly<Record<string, string>>): WebhookRequest {
  return {
    method: 'POST',
    path: '/',
    sender: '10.0.0.1',
    bodyBytes: BODY.length,
    header: (name) => new Map(Object.entries(headers)).get(name),
    body: async () => BODY,
  }
}

test.each([
  ['token', { ...OPTIONS, tokenFile: FILE }, { authorization: 'Bearer secret' }],
  ['key', SIGNED, { 'x-signature': createHmac('sha256', 'secret').update(BODY).digest('hex') }],
])(
  'a %s that cannot be read is reported to the owner of the job, not to senders, until it can',
  async (_what, options, headers) => {
    const clock = new ManualClock()
    const mounted = new Map<string, string>()
    let trouble: Error | null = null
    const secretFiles = {
      read: async (file: string) => {
        const secret = mounted.get(file)
        if (secret === undefined) throw new Error(`ENOENT: ${file}`)
        return secret
      },
    }
    const intake = { append: async () => 'kept' as const, check: async () => undefined }
    const handle = webhookHandler(options, { clock, secretFiles } as never, intake, {
      reportTrouble: (error) => {
        trouble = error
      },
    })
    await clock.advance(5_000)
    const answer = await handle(request(headers))
    expect(answer.status).toBe(503)
    expect(JSON.stringify(answer.body)).not.toContain(FILE)
    expect(trouble).toMatchObject({
      code: 'WEBHOOK_SECRET_UNREADABLE',
      message: `cannot read ${FILE}, which requests are checked with`,
    })
    mounted.set(FILE, 'secret\n')
    expect((await handle(request(headers))).status).toBe(200)
    expect(trouble).toBeNull()
  },
)
