const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/**
 * An IP address in its shortest form; undefined when the text is none. The driver does not look: it stores bytes of its
 * memory for an address that is too short.
 */
export function addressOf(text: string): string | undefined {
  if (IPV4.test(text)) return text
  const url = `http://[${text}]/`
  return /^[0-9a-f:.]{2,45}$/i.test(text) && URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined
}
