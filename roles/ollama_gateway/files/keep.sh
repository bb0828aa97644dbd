# shellcheck shell=bash
# Run by systemd for as long as Docker runs. Docker starts the containers of a host in any order, and a gateway cannot start
# before the pod that it runs in; nor does it follow a pod that had to be started again. What somebody stopped stays stopped.
# Arguments: the containers of the pod and of the gateway.
set -eu
pod=$1
gateway=$2

state() {
    docker inspect --format "{{.State.$2}}" "$1"
}

network() {
    readlink "/proc/$(state "$1" Pid)/ns/net"
}

until [ "$(state "$pod" Running)" = true ]; do
    sleep 1
done
if [ "$(state "$gateway" Running)" = true ]; then
    [ "$(network "$gateway")" = "$(network "$pod")" ] || docker restart --time 1 "$gateway"
elif [ -n "$(state "$gateway" Error)" ]; then
    docker start "$gateway"
fi
# Until it ends; systemd runs this again then.
docker wait "$pod"
