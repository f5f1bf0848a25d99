import { Command, Option } from '@commander-js/extra-typings'
import type { CompiledForm } from '../compile.ts'
import { type Cli, example, typeCheckOptions } from './cli.ts'

const [checked, unchecked] = typeCheckOptions()

export const compileCommand = (cli: Cli) =>
  new Command('compile')
    .description('print the StreamJob of a job in TypeScript, with its code, for kubectl apply')
    .argument('<job>', 'job.ts')
    .option('--code', 'print the code alone, for an image')
    .addOption(
      new Option('--image <path>', "name the code's file in the image instead of a ConfigMap").conflicts('code'),
    )
    .addOption(checked)
    .addOption(unchecked)
    .addHelpText('after', example('millrace compile job.ts | kubectl apply -f -'))
    .action(async (file, { code, image, typeCheck }) => {
      const [{ compile }, { typeCheckOf }, { builtinConnectors }] = await Promise.all([
        import('../compile.ts'),
        import('../type-check.ts'),
        import('../../runtime/builtin-connectors.ts'),
      ])
      cli.end(await compile(file, builtinConnectors, formOf(code, image), typeCheckOf(typeCheck)))
    })

function formOf(code: true | undefined, image: string | undefined): CompiledForm {
  if (code) return { kind: 'code' }
  return image === undefined ? { kind: 'configMap' } : { kind: 'image', path: image }
}
