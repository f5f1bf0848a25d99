import { join } from 'node:path'
import type { Ports } from '../../runtime/ports/ports.ts'
import { realFiles } from '../../runtime/ports/real/files.ts'
import { openFolderObjects } from '../../runtime/ports/real/folder-objects.ts'
import { quietPorts } from './source-context.ts'

/** Real ports for which `s3://bucket/path` is the folder `home/bucket/path`: objects without a server. */
export function portsWithBuckets(home: string): Ports {
  return {
    ...quietPorts(),
    openObjects: (url) => {
      const [, bucket = '', path = ''] = /^s3:\/\/([^/?]+)\/?([^?]*)/.exec(url) ?? []
      return openFolderObjects(join(home, bucket, decodeURIComponent(path)), realFiles.realPath)
    },
  }
}
