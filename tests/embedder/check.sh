#!/usr/bin/env bash
# Builds the embedder in its own workspace, runs it, and checks that it is linked with zlib, the C++
# and C libraries, and nothing else.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

read -r -a BAZEL <<<"${EMBEDDER_BAZEL:-bazel}"
ALLOWED='^(libz\.so\.1|libstdc\+\+\.so\.6|libm\.so\.6|libgcc_s\.so\.1|libc\.so\.6|ld-linux.*)$'

"${BAZEL[@]}" build --color=no --noshow_progress --compilation_mode=opt //:embedder
binary=$("${BAZEL[@]}" info --compilation_mode=opt bazel-bin 2>/dev/null)/embedder
"$binary"

libraries=$(readelf --dynamic --wide "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
echo "linked with:" $libraries
grep -qx 'libz.so.1' <<<"$libraries" || { echo "not even zlib: is tern in there?" >&2; exit 1; }
if extra=$(grep -vE "$ALLOWED" <<<"$libraries"); then
  echo "linked with more than zlib and the C++ runtime:" $extra >&2
  exit 1
fi
"${BAZEL[@]}" shutdown
