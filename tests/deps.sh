#!/usr/bin/env bash
# Install the Debian packages of tests/system-packages.txt that are missing, and only those.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
while read -r package; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done < <(sed -E 's/#.*//; s/[[:space:]]+//g; /^$/d' tests/system-packages.txt)

[ "${#missing[@]}" -gt 0 ] || exit 0
echo "Installing ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing: ${missing[*]}. Install them, or run this as root." >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
