#!/bin/sh
# Puts a renewed certificate where the gateway reads it, at each new connection: nothing has to be reloaded. Does nothing
# and says nothing where it is there already.
# Usage: acme_install.sh <folder with privkey.pem and fullchain.pem> <file to write> <owner of that file>
set -eu
umask 077

source=$1 target=$2 owner=$3
new="$target.new"

trap 'rm -f "$new"' EXIT
cat "$source/privkey.pem" "$source/fullchain.pem" >"$new"
if cmp -s "$new" "$target"; then
    exit 0
fi
chown "$owner:$owner" "$new"
# In one step: nobody ever reads half a file, or a key that is not the certificate's.
mv -f "$new" "$target"
echo "installed the certificate in $target"
