// A container for the tests of the embedded node: it does what its first argument says.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Socket } from 'node:net'

const [what, ...rest] = process.argv.slice(2)
// A socket, not a file stream: a file stream blocks a pool thread, and process.exit() then waits for that thread.
const lifeline = new Socket({ fd: Number(process.env.MILLRACE_PARENT_FD) })
lifeline.on('end', () => process.exit(0))
lifeline.on('error', () => process.exit(0))
lifeline.resume()

console.log(`started ${what} at ${process.env.POD_IP ?? 'no address'}`)
switch (what) {
  case 'serve': {
    let isReady = rest[1] !== 'unready'
    const server = createServer((request, response) => {
      if (request.url === '/make-ready') isReady = true
      response.statusCode = request.url === '/ready' && !isReady ? 503 : 200
      response.end('ok')
    })
    server.listen(Number(rest[0]), process.env.POD_IP)
    process.on('SIGTERM', () => {
      console.log('asked to stop')
      process.exit(0)
    })
    break
  }
  case 'show':
    console.log(JSON.stringify({ args: rest, env: process.env, file: rest[0] === undefined ? '' : readFileSync(rest[0], 'utf8') }))
    process.exit(0)
    break
  case 'exit':
    process.exit(Number(rest[0]))
    break
  case 'deaf':
    process.on('SIGTERM', () => console.log('not listening'))
    setInterval(() => undefined, 1000)
    break
  default:
    process.exit(2)
}
