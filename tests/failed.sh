#!/usr/bin/env bash
# Says once more, at the end of a long output, which scenarios failed and what they saw.
set -euo pipefail
for log in build/molecule/*.failed; do
    echo "== $(basename "$log" .failed) failed"
    sed -E 's/\x1b\[[0-9;]*m//g; s/^.{0,3}│ ?//' "$log" | grep -A2 -E '^ *(E  |FAILED|ERROR|fatal:|failed:|\[ERROR\])' | cut -c1-500 | tail -n 40 || true
done
