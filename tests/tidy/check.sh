#!/usr/bin/env bash
# The rules of the house that no compiler knows. Prints each breach as FILE:LINE: what, and fails.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

BREACHES=$(mktemp)
trap 'rm -f "$BREACHES"' EXIT
LONGEST_FILE=800

sources() { git ls-files --cached --others --exclude-standard -- "$@" | sort; }

# forbid WHY PATTERN FILE...: lines that match, unless they end in `// tidy: WHY-NOT`.
forbid() {
  local why=$1 pattern=$2
  shift 2
  [[ $# == 0 ]] && return 0
  { grep -nHE "$pattern" "$@" || true; } | { grep -vE '^[^:]+:[0-9]+: *//|// tidy: ' || true; } |
    sed -E "s|^([^:]+:[0-9]+):.*|\1: $why|" >>"$BREACHES"
}

mapfile -t all < <(sources '*.h' '*.cc')
mapfile -t headers < <(sources '*.h')
mapfile -t engine < <(sources 'protocol/*.h' 'protocol/*.cc' 'client/core/*.h' 'client/core/*.cc' \
  'client/kafka/*.h' 'client/kafka/*.cc' 'client/amqp/*.h' 'client/amqp/*.cc' 'client/codecs/*.h' \
  'client/codecs/*.cc')
mapfile -t library < <(sources 'protocol/*.h' 'protocol/*.cc' 'client/*.h' 'client/*.cc' |
  grep -v '^client/cli/')
# The public face is where the engine meets Asio, and where a bad config throws.
mapfile -t pure < <(printf '%s\n' "${engine[@]}" | grep -vE \
  '^client/(kafka/(client|producer|consumer|admin|handlers)|amqp/(connection|channel|message))\.(h|cc)$')
mapfile -t unit_tests < <(sources 'tests/*_test.cc' | grep -vE '^tests/(real|net|bench)/')
[[ ${#all[@]} -gt 20 && ${#engine[@]} -gt 10 ]] || { echo "check.sh found no sources"; exit 1; }

for file in "${all[@]}"; do
  lines=$(wc -l <"$file")
  if ((lines > LONGEST_FILE)); then
    echo "$file:$lines: longer than $LONGEST_FILE lines" >>"$BREACHES"
  fi
  if [[ -n $(tail -c 1 "$file") ]]; then
    echo "$file:$lines: no newline at the end" >>"$BREACHES"
  fi
done
for file in "${headers[@]}"; do
  guard=TERN_$(tr 'a-z/.' 'A-Z__' <<<"$file")_
  grep -q "^#ifndef $guard\$" "$file" || echo "$file:1: no #ifndef $guard" >>"$BREACHES"
done

forbid "Asio outside client/net, client/tls and the public face" '#include [<"]asio' "${pure[@]}"
forbid "a clock: time comes from outside" \
  '(system_clock|steady_clock|high_resolution_clock)::now|[^_a-z]clock_gettime|gettimeofday|[^_a-z:]time\((NULL|nullptr|0)\)' \
  "${engine[@]}"
forbid "randomness: seeds come from outside" \
  'std::random_device|[^_a-z]s?rand\(|[^_a-z]getrandom\(' "${pure[@]}"
forbid "a sleep" 'this_thread::sleep|[^_a-z](usleep|nanosleep|sleep)\(' "${library[@]}" "${unit_tests[@]}"
forbid "an exception: return an error" '(^|[^_a-z"])throw ' "${pure[@]}"
forbid "output: say it in an error or to the observer" \
  'std::(cout|cerr|clog)|[^_a-z]f?printf\(|[^_a-z]puts\(' "${library[@]}"
forbid "the environment: configuration comes from outside" '[^_a-z]getenv\(' "${library[@]}"
forbid "a namespace for every file that includes this" '^using namespace .*([^s]|[^l]s);' "${headers[@]}"
forbid "an include that is not from the root" '#include "\.\.?/' "${all[@]}"

if [[ -s $BREACHES ]]; then
  cat "$BREACHES"
  echo "$(wc -l <"$BREACHES") breaches in ${#all[@]} files"
  exit 1
fi
echo "${#all[@]} files keep the rules of the house"
