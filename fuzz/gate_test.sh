#!/usr/bin/env bash
# The gate of the replay tests can fail: a corpus without the inputs that matter does not pass.
# gate_test.sh REPLAY CORPUS PATTERN MILESTONE: without the lines that match, MILESTONE is missed.
set -euo pipefail
replay=$1 corpus=$2 pattern=$3 milestone=$4
cut=$(mktemp)
said=$(mktemp)
trap 'rm -f "$cut" "$said"' EXIT

grep -vE "$pattern" "$corpus" >"$cut"
if "$replay" 0 "$cut" 2>"$said"; then
  echo "the replay passed without inputs that match $pattern"
  exit 1
fi
grep -qxF "the corpus does not reach: $milestone" "$said" || { cat "$said"; exit 1; }
"$replay" 0 "$corpus"

: >"$cut"
if "$replay" 0 "$cut" 2>"$said"; then
  echo "the replay passed without any input"
  exit 1
fi
