import { expect, test } from 'vitest'
import { CoordinatorRefusal } from '../../../operator/job-client.ts'
import { JobHttpClient } from '../../../operator/real/job-http-client.ts'

const AT = { host: '10.0.0.1', port: 8081, jobUid: 'job', token: 'secret', encryption: 'off' } as const

function answering(status: number, text: string): JobHttpClient {
  return new JobHttpClient({ send: () => Promise.resolve({ status, text }), close: () => Promise.resolve() })
}

test.each([
  [422, '{"error":{"code":"SPEC_INVALID","message":"spec.graph: no"}}', 'SPEC_INVALID', 'spec.graph: no', false],
  [500, '{"error":{"code":"STORE_DOWN","message":"m"}}', 'STORE_DOWN', 'm', true],
  [502, '<html>gateway</html>', 'COORDINATOR_REFUSED', '<html>gateway</html>', true],
  [422, '{"error":"text"}', 'COORDINATOR_REFUSED', '{"error":"text"}', false],
])(
  'an answer of %s is a refusal with what the coordinator said, if it did',
  async (status, text, code, words, retriable) => {
    const refusal = await answering(status, text)
      .report(AT)
      .catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(CoordinatorRefusal)
    expect(refusal).toMatchObject({ status, retriable, told: { code, message: words } })
    expect(String(refusal)).not.toContain('secret')
  },
)
