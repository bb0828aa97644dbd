# shellcheck shell=bash
# Run by systemd for as long as Docker runs, in the folder of compose.yaml. Docker starts the containers of a host in any
# order, and a gateway cannot start before the pod that it runs in; nor does it follow a pod that had to be started again.
# Arguments: the containers of the pod and of the gateway.
set -eu
pod=$1
gateway=$2

network() {
    readlink "/proc/$(docker inspect --format '{{.State.Pid}}' "$1")/ns/net"
}

docker compose up --detach --no-recreate --pull never
if [ "$(network "$gateway")" != "$(network "$pod")" ]; then
    docker restart --time 1 "$gateway"
fi
# Until it ends; systemd runs this again then.
docker wait "$pod"
