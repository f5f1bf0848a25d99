#!/usr/bin/env bash
# Ends what up.sh started (only that, by pid and start time), removes pods, mounts, the bridge, nftables tables, cgroups.
# Images and certificates stay in $KUBE_BED_STATE for the next start; `down.sh --purge` removes them too.
set -uo pipefail
[ -d "${KUBE_BED_STATE:?}" ] || exit 0
state=$(cd "$KUBE_BED_STATE" && pwd)
bin=${KUBE_BED_BIN:?}
exec 9> "$state.lock"; flock 9
pids=$state/pids
mine() { # sets p
  local t f
  [ -s "$pids/$1" ] && read -r p t < "$pids/$1" && read -r -a f 2>/dev/null < "/proc/$p/stat" && [ "${f[21]}" = "$t" ]
} 2>/dev/null
stop() { # ticks of 50 ms before SIGKILL, name...
  local left=$1 n busy=1; shift
  for n; do mine "$n" && kill "$p"; done
  while (( busy && left-- > 0 )); do
    busy=0
    for n; do mine "$n" && busy=1; done
    (( busy )) && sleep 0.05
  done
  for n; do mine "$n" && kill -9 "$p"; rm -f "$pids/$n"; done
}
stop 100 kubelet metrics-server coredns netpol kube-scheduler kube-controller-manager
if mine containerd; then
  crictl() { "$bin/crictl" -r "unix://$state/containerd.sock" -t 30s "$@"; }
  crictl rmp -f -a > "$state/logs/down.log" 2>&1
fi
stop 10 kube-proxy kube-apiserver etcd # their data goes away below: no need to let them drain
stop 100 containerd
for f in /proc/[0-9]*; do # shims that outlived a containerd that died
  { tr '\0' ' ' < "$f/cmdline"; } 2>/dev/null | grep -q "containerd-shim-runc-v2 .*-address $state/containerd.sock" && kill -9 "${f#/proc/}"
done
awk '{print $5}' /proc/self/mountinfo | grep "^$state/" | sort -r | while read -r m; do umount "$m" 2>/dev/null || umount -l "$m"; done
if [ -s "$state/netpol" ]; then
  iptables -w -D FORWARD -i "$(cat "$state/bridge")" -m conntrack --ctstate NEW -j NFQUEUE --queue-num "$(cat "$state/netpol")" 2>/dev/null
  nft delete table inet kube-network-policies 2>/dev/null
  rm -f "$state/netpol"
fi
if [ -s "$state/bridge" ]; then ip link del "$(cat "$state/bridge")" 2>/dev/null; rm -f "$state/bridge"; fi
if [ -s "$state/node" ]; then
  for family in ip ip6; do nft delete table $family kube-proxy 2>/dev/null; done
  for c in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods; do [ -d "$c" ] && find "$c" -depth -type d -exec rmdir {} + 2>/dev/null; done
fi
if [ -s "$state/sysctl" ]; then while read -r f v; do echo "$v" > "$f"; done < "$state/sysctl"; rm -f "$state/sysctl"; fi
find /var/log/containers -lname "$state/*" -delete 2>/dev/null
rm -rf "$state/cni-ipam" "$state/kubelet" "$state/etcd" "$state/pod-logs" "$state/node"
[ "${1:-}" = --purge ] && rm -rf --one-file-system "$state"
exit 0
