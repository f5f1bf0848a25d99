import { Command } from '@commander-js/extra-typings'
import { type Cli, example, outputOption } from './cli.ts'

export const whyCommand = (cli: Cli) =>
  new Command('why')
    .description('show what the operator decided over a StreamJob of a cluster, and why')
    .argument('<name>', 'the name of the StreamJob')
    .option('-n, --namespace <namespace>', 'without it that of the current context')
    .option('--kubeconfig <file>', 'without it as kubectl finds it')
    .addOption(outputOption())
    .addHelpText('after', example('millrace why bids -n shop'))
    .action(async (name, { namespace, kubeconfig, output }) => {
      const [{ why }, { kubeConnection }, { KubeHttpClient }] = await Promise.all([
        import('../why.ts'),
        import('../../operator/real/kube-config.ts'),
        import('../../operator/real/kube-http-client.ts'),
      ])
      const connection = await kubeConnection(kubeconfig)
      const kube = new KubeHttpClient(connection)
      try {
        cli.end(await why(kube, { name, namespace: namespace ?? connection.namespace, output }, cli.console))
      } finally {
        await kube.close()
      }
    })
