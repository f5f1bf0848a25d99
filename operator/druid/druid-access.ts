/** What a resource brings to reach its Druid, read from Secrets; in place of the operator's own login. */
export interface DruidAccess {
  login?: Login
  tls?: { ca?: string; certificate?: string; key?: string }
}

export type Login = { username: string; password: string } | { token: string }

/** What must not be shown. */
export function secretsOf(login: Login | undefined): readonly string[] {
  if (login === undefined) return []
  return 'token' in login ? [login.token] : [login.password, `${login.username}:${login.password}`]
}

export function authorizationOf(login: Login | undefined): Record<string, string> {
  if (login === undefined) return {}
  if ('token' in login) return { authorization: `Bearer ${login.token}` }
  return { authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}` }
}
