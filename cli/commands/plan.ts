import { Command, Option } from '@commander-js/extra-typings'
import type { StreamJobSpec } from '../../operator/api/stream-job.ts'
import { type Cli, example, outputOption } from './cli.ts'

export const planCommand = (cli: Cli) =>
  new Command('plan')
    .description('show what an edit would do to a StreamJob that runs, without doing it')
    .argument('<job>', 'the edited job.yaml or job.ts')
    .option('-n, --namespace <namespace>', 'where the job runs; without it that of the current context')
    .option('--kubeconfig <file>', 'without it as kubectl finds it')
    .addOption(new Option('--against <job>', 'compare with another file, not with a cluster').conflicts('namespace'))
    .addOption(outputOption())
    .addHelpText('after', example('millrace plan bids.yaml -n shop'))
    .action(async (file, { namespace, kubeconfig, against, output }) => {
      const [{ plan }, { readJob, findingsText }, { builtinConnectors }] = await Promise.all([
        import('../plan.ts'),
        import('../read-job.ts'),
        import('../../runtime/builtin-connectors.ts'),
      ])
      const read = async (path: string) => {
        const job = await readJob(path, builtinConnectors)
        cli.console.err(findingsText(job.findings))
        return job.findings.some(({ severity }) => severity === 'error')
          ? undefined
          : { name: job.name, spec: job.spec as StreamJobSpec }
      }
      const wanted = await read(file)
      const other = against === undefined ? undefined : await read(against)
      if (wanted === undefined || (against !== undefined && other === undefined)) {
        cli.end(1)
        return
      }
      if (other !== undefined) {
        cli.end(await plan({ ...wanted, output }, { kind: 'file', spec: other.spec }, builtinConnectors, cli.console))
        return
      }
      const [{ kubeConnection }, { KubeHttpClient }] = await Promise.all([
        import('../../operator/real/kube-config.ts'),
        import('../../operator/real/kube-http-client.ts'),
      ])
      const connection = await kubeConnection(kubeconfig)
      const kube = new KubeHttpClient(connection)
      try {
        const running = { kind: 'cluster', kube, namespace: namespace ?? connection.namespace } as const
        cli.end(await plan({ ...wanted, output }, running, builtinConnectors, cli.console))
      } finally {
        await kube.close()
      }
    })
