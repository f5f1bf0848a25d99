import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { kubeConnection } from '../../../../operator/real/kube-config.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('when there is no kubeconfig, it is said how to name one', async () => {
  const home = mkdtempSync(join(tmpdir(), 'millrace-home-'))
  onTestFinished(() => {
    rmSync(home, { recursive: true })
  })
  vi.stubEnv('HOME', home)
  vi.stubEnv('KUBECONFIG', '')
  await expect(kubeConnection(undefined)).rejects.toMatchObject({
    code: 'KUBE_CONFIG_MISSING',
    hint: 'Name a kubeconfig with --kubeconfig or KUBECONFIG.',
  })
})

test('when a kubeconfig cannot be read, its name is told', async () => {
  await expect(kubeConnection('/nowhere/config')).rejects.toMatchObject({
    code: 'KUBE_CONFIG_UNREADABLE',
    message: 'the kubeconfig /nowhere/config cannot be read',
  })
})
