#!/usr/bin/env bash
# redis-cluster.sh NODE...: makes a Redis Cluster of the nodes, half of them replicas, unless it is there already; then it
# makes the first node known to the others again, since containers that were started anew have other addresses.
# REDISCLI_AUTH is the password.
set -euo pipefail

# address NODE: commands of a Cluster take no names.
address() { getent ahostsv4 "$1" | awk 'NR == 1 { print $1 }'; }

until valkey-cli -h "$1" ping | grep -q PONG; do sleep 1; done

addresses=()
for node in "$@"; do addresses+=("$(address "$node"):6379"); done

if valkey-cli -h "$1" cluster info | grep -q '^cluster_slots_assigned:0'; then
    valkey-cli --cluster create "${addresses[@]}" --cluster-replicas 1 --cluster-yes
else
    for node in "${addresses[@]:1}"; do valkey-cli -h "$1" cluster meet "${node%:*}" 6379; done
    # A node learns its own new address from being met.
    valkey-cli -h "$2" cluster meet "${addresses[0]%:*}" 6379
fi

# healthy NODE COUNT: every slot has a master, and the node is connected to all the others.
healthy() {
    valkey-cli -h "$1" cluster info | grep -q '^cluster_state:ok' &&
        [ "$(valkey-cli -h "$1" cluster nodes | grep -v -e fail -e handshake -e noaddr | grep -c ' connected')" = "$2" ]
}

for node in "$@"; do
    until healthy "$node" "$#"; do sleep 1; done
done
valkey-cli -h "$1" cluster nodes | awk '{ print $2, $3, $9 }'
