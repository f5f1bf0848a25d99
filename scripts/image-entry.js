import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// What the image starts: the first argument is the role. Each role is a bundle of its own, loaded only when asked for.
const role = process.argv[2]
// filled by bundle.ts; a folder that cannot be written, or was filled by another Node, is only slower
enableCompileCache({ directory: join(import.meta.dirname, 'cache'), portable: true })
if (role === 'coordinator' || role === 'worker') await import('./runtime.mjs')
else if (role === 'operator') await import('./operator.mjs')
else {
  process.stderr.write(
    `millrace: the first argument must be coordinator, worker or operator, not ${JSON.stringify(role ?? '')}\n`,
  )
  process.exit(2)
}
