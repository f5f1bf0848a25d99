#!/usr/bin/env node
// The `millrace` command for any Node >= 20: hands over to the Node 26 of node_modules.
import { fileURLToPath } from 'node:url'
import { execNode26 } from './node.js'

execNode26(fileURLToPath(new URL('main.ts', import.meta.url)), process.argv.slice(2))
