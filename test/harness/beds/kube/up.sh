#!/usr/bin/env bash
# Brings up one real Kubernetes node from the binaries that kube-bed.ts built: etcd, kube-apiserver, controller-manager,
# scheduler, containerd, kubelet, kube-proxy, CoreDNS, NetworkPolicies, metrics-server. kube-bed.ts starts and ends it; by hand:
#   KUBE_BED_BIN=... KUBE_BED_STATE=... up.sh     prints the path of the kubeconfig as its last line
# Everything it writes lies under $KUBE_BED_STATE; down.sh undoes it. The API server listens on the pod network's bridge.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${KUBE_BED_STATE:?}"; state=$(cd "$KUBE_BED_STATE" && pwd)
bin=$(cd "${KUBE_BED_BIN:?}" && pwd)
exec 9> "$state.lock"; flock 9 # a down.sh of an earlier run may still be at work
api_port=6443
etcd_port=12379
pod_net=10.244.0      # /24
svc_net=10.96         # /16
node=bed
bridge=millrace0
netpol_queue=100
gateway=$pod_net.1
host=$gateway
pki=$state/pki logs=$state/logs pids=$state/pids
mkdir -p "$pki" "$logs" "$pids"
echo "$node" > "$state/node"

# --- processes: a pid file holds the pid and its start time, so that down.sh never ends somebody else's
alive() {
  local p t f
  [ -s "$pids/$1" ] && read -r p t < "$pids/$1" && read -r -a f < "/proc/$p/stat" && [ "${f[21]}" = "$t" ]
} 2>/dev/null
start() { # name command...
  local name=$1; shift
  alive "$name" && return 0
  setsid "$@" > "$logs/$name.log" 2>&1 < /dev/null 9>&- &
  local p=$!
  local f; read -r -a f < "/proc/$p/stat"
  echo "$p ${f[21]}" > "$pids/$name"
  disown
}
wait_for() { # what seconds command...
  local what=$1 until=$(( SECONDS + $2 )) f; shift 2
  until "$@" > /dev/null 2>&1; do
    for f in "$pids"/*; do
      alive "${f##*/}" || { echo "${f##*/} ended; the end of $logs/${f##*/}.log:" >&2; tail -n 5 "$logs/${f##*/}.log" >&2; exit 1; }
    done
    if (( SECONDS > until )); then echo "$what did not become ready; logs: $logs" >&2; exit 1; fi
    sleep 0.1
  done
}

# --- certificates (made once per state folder)
ca() {
  [ -s "$pki/$1.crt" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$1" \
    -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature -keyout "$pki/$1.key" -out "$pki/$1.crt" 2>/dev/null
}
cert() { # name ca subject [subjectAltName]
  [ -s "$pki/$1.crt" ] && return 0
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$pki/$1.key" 2>/dev/null |
    openssl x509 -req -CA "$pki/$2.crt" -CAkey "$pki/$2.key" -CAcreateserial -days 3650 -out "$pki/$1.crt" 2>/dev/null \
      -extfile <(printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n%s\n' "${4:+subjectAltName=$4}")
}
put() { # file < content; leaves an unchanged file alone (kube-proxy ends when its file is written to)
  local text; text=$(cat)
  [ -f "$1" ] && [ "$text" = "$(cat "$1")" ] || printf '%s\n' "$text" > "$1"
}
kubeconfig() { # name
  put "$state/$1.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{name: bed, cluster: {server: "https://$host:$api_port", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}}]
contexts: [{name: bed, context: {cluster: bed, user: $1}}]
current-context: bed
END
  chmod 600 "$state/$1.kubeconfig"
}
ca ca; ca front-proxy-ca
[ -s "$pki/sa.key" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pki/sa.key" 2>/dev/null
openssl pkey -in "$pki/sa.key" -pubout -out "$pki/sa.pub"
cert apiserver ca "/CN=kube-apiserver" "IP:127.0.0.1,IP:$gateway,IP:$svc_net.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
cert kubelet-client ca "/O=system:masters/CN=kube-apiserver-kubelet-client"
cert front-proxy-client front-proxy-ca "/CN=front-proxy-client"
cert admin ca "/O=system:masters/CN=admin"
cert kube-controller-manager ca "/CN=system:kube-controller-manager"
kubeconfig admin; kubeconfig kube-controller-manager
cert kube-scheduler ca "/CN=system:kube-scheduler"
cert kubelet ca "/O=system:nodes/CN=system:node:$node" "IP:$gateway,DNS:$node"
cert kube-proxy ca "/CN=system:kube-proxy"
cert coredns ca "/CN=bed:coredns"
cert netpol ca "/CN=bed:netpol"
cert metrics-server ca "/CN=bed:metrics-server" "DNS:metrics-server.kube-system.svc,IP:$gateway"
for n in kube-scheduler kubelet kube-proxy coredns netpol metrics-server; do kubeconfig $n; done
kc() { "$bin/kubectl" --kubeconfig "$state/admin.kubeconfig" "$@"; }

# --- the pod network's bridge; its address is also the node's and the API server's
if ! ip link show "$bridge" > /dev/null 2>&1; then
  ip link add "$bridge" type bridge
  ip addr add "$gateway/24" dev "$bridge"
  ip link set "$bridge" up
fi
echo "$bridge" > "$state/bridge"
for k in net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables; do
  f=/proc/sys/${k//./\/}
  [ -e "$f" ] || continue
  [ "$(cat "$f")" = 1 ] || { grep -qs "^$f " "$state/sysctl" || echo "$f $(cat "$f")" >> "$state/sysctl"; echo 1 > "$f"; }
done

# --- control plane
start etcd "$bin/etcd" --name bed --data-dir "$state/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
  --listen-peer-urls http://127.0.0.1:0
start kube-apiserver "$bin/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_port" --etcd-prefix=/registry \
  --bind-address="$host" --secure-port="$api_port" --service-cluster-ip-range="$svc_net.0.0/16" --allow-privileged=true \
  --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
  --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key" \
  --requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
  --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
  --requestheader-extra-headers-prefix=X-Remote-Extra- \
  --proxy-client-cert-file="$pki/front-proxy-client.crt" --proxy-client-key-file="$pki/front-proxy-client.key" \
  --enable-aggregator-routing=true --profiling=false --advertise-address="$gateway" --kubelet-preferred-address-types=InternalIP \
  --kubelet-certificate-authority="$pki/ca.crt" --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key"

# --- container runtime
export PATH="$bin:$PATH"
mkdir -p "$state/cni" "$state/containerd" "$state/kubelet"
put "$state/cni/10-bed.conflist" <<END
{"cniVersion": "1.0.0", "name": "bed", "plugins": [
  {"type": "bridge", "bridge": "$bridge", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$state/cni-ipam", "ranges": [[{"subnet": "$pod_net.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
put "$state/containerd.toml" <<END
version = 3
root = "$state/containerd/root"
state = "$state/containerd/run"
disabled_plugins = ["io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "$state/containerd.sock"
[ttrpc]
  address = "$state/containerd.sock.ttrpc"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "localhost/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
  netns_mounts_under_state_dir = true
  enable_unprivileged_ports = false
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$bin"]
    conf_dir = "$state/cni"
    use_internal_loopback = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "$(command -v runc)"
        SystemdCgroup = false
END
start containerd "$bin/containerd" --config "$state/containerd.toml" --log-level warn

wait_for kube-apiserver 60 curl -sf --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" "https://$host:$api_port/readyz"
start kube-controller-manager "$bin/kube-controller-manager" --kubeconfig="$state/kube-controller-manager.kubeconfig" --secure-port=0 \
  --leader-elect=false --use-service-account-credentials=true --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/sa.key" \
  --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" --profiling=false \
  --horizontal-pod-autoscaler-sync-period=5s --horizontal-pod-autoscaler-initial-readiness-delay=5s \
  --horizontal-pod-autoscaler-cpu-initialization-period=20s

# --- node
start kube-scheduler "$bin/kube-scheduler" --kubeconfig="$state/kube-scheduler.kubeconfig" --secure-port=0 --leader-elect=false --profiling=false
wait_for containerd 30 "$bin/ctr" -a "$state/containerd.sock" version
if ! "$bin/ctr" -a "$state/containerd.sock" -n k8s.io images ls -q | grep -q '^localhost/pause:1$'; then
  "$bin/ctr" -a "$state/containerd.sock" -n k8s.io images import --local "$bin/pause.tar" > /dev/null 2>&1
fi
: > "$state/resolv.conf"
put "$state/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $gateway
healthzBindAddress: 127.0.0.1
healthzPort: 10248
readOnlyPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
containerRuntimeEndpoint: unix://$state/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
clusterDNS: [$gateway]
clusterDomain: cluster.local
resolvConf: $state/resolv.conf
podLogsDir: $state/pod-logs
maxPods: 200
registryPullQPS: 0
eventRecordQPS: 0
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 200Mi, nodefs.available: 1%, imagefs.available: 1%}
END
start kubelet "$bin/kubelet" --config="$state/kubelet.yaml" --kubeconfig="$state/kubelet.kubeconfig" --root-dir="$state/kubelet" \
  --cert-dir="$state/kubelet/pki" --hostname-override="$node" --node-ip="$gateway"
put "$state/kube-proxy.yaml" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $state/kube-proxy.kubeconfig}
clusterCIDR: $pod_net.0/24
hostnameOverride: $node
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, tcpCloseWaitTimeout: 0s, tcpEstablishedTimeout: 0s}
END
start kube-proxy "$bin/kube-proxy" --config="$state/kube-proxy.yaml"
put "$state/Corefile" <<END
. {
  bind $gateway
  errors
  ready $gateway:8181
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig $state/coredns.kubeconfig
    pods insecure
    ttl 5
  }
  cache 5
}
END
sed -e "s/@GATEWAY@/$gateway/g" -e "s/@NODE@/$node/g" -e "s/@CA@/$(base64 -w0 "$pki/ca.crt" | sed 's/[&/]/\\&/g')/" "$here/addons.yaml" > "$state/addons.yaml"
kc apply -f "$state/addons.yaml" > "$logs/addons.log" 2>&1
echo "$netpol_queue" > "$state/netpol"
queued() { iptables -w "$1" FORWARD -i "$bridge" -m conntrack --ctstate NEW -j NFQUEUE --queue-num "$netpol_queue"; }
queued -C 2> /dev/null || queued -I
start netpol "$bin/netpol" --kubeconfig "$state/netpol.kubeconfig" --node "$node" --queue "$netpol_queue"
start coredns "$bin/coredns" -conf "$state/Corefile"
start metrics-server "$bin/metrics-server" --kubeconfig="$state/metrics-server.kubeconfig" --authentication-kubeconfig="$state/metrics-server.kubeconfig" \
    --authorization-kubeconfig="$state/metrics-server.kubeconfig" --bind-address="$gateway" --secure-port=10443 \
    --tls-cert-file="$pki/metrics-server.crt" --tls-private-key-file="$pki/metrics-server.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP --metric-resolution=10s --kubelet-request-timeout=5s
wait_for "the node" 90 kc wait --for=condition=Ready "node/$node" --timeout=1s
wait_for "the default service account" 30 kc get serviceaccount default
wait_for netpol 30 grep -q "^ *$netpol_queue " /proc/net/netfilter/nfnetlink_queue
wait_for coredns 30 curl -sf "http://$gateway:8181/ready"
echo "$state/admin.kubeconfig"
