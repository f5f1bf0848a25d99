/** Whether a server, host:port, is this machine: what goes there nobody else can read. */
export function isLoopback(server: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]):\d+$/i.test(server)
}
