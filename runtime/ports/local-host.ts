/**
 * Whether a Host header names this process in a way that no stranger can own: an address, a name without dots
 * (localhost, a Service, a machine), or the name of a Service in the cluster. A page of another site can make a browser
 * ask for the name of that site while the name leads here (DNS rebinding), and read the answer; Prometheus and probes
 * ask by address. `host` has no port; undefined, which browsers never send, passes.
 */
export function isLocalHost(host: string | undefined): boolean {
  return (
    host === undefined ||
    /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\]|[^.:[\]]+|[a-z0-9.-]+\.svc(\.cluster\.local)?)$/i.test(host)
  )
}
