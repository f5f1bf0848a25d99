// A process with a server, a node and one pod, to be killed: prints the process id of the pod.
import { samplePod, startTestCluster, untilObject } from './embedded-cluster.ts'

const { server, node } = await startTestCluster({ node: {} })
server.local('test').create('pods', 'default', samplePod('child', ['deaf']))
await untilObject(server, 'pods', 'child', () => node?.pidOf('default', 'child') !== undefined)
console.log(node?.pidOf('default', 'child'))
