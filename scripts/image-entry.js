// What the image starts: the first argument is the role. Each role is a bundle of its own, loaded only when asked for.
const role = process.argv[2]
if (role === 'coordinator' || role === 'worker') await import('./runtime.mjs')
else if (role === 'operator') await import('./operator.mjs')
else {
  process.stderr.write(`millrace: the first argument must be coordinator, worker or operator, not ${JSON.stringify(role ?? '')}\n`)
  process.exit(2)
}
