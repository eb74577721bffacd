#!/usr/bin/env bash
# Builds the embedder in its own workspace, runs it, and checks that it is linked with zlib, the C++
# and C libraries, and nothing else. Then the minimal producer: linked with zlib and the C library, the
# C++ library inside, and not larger than it may be.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

read -r -a BAZEL <<<"${EMBEDDER_BAZEL:-bazel}"
ALLOWED='^(libz\.so\.1|libstdc\+\+\.so\.6|libm\.so\.6|libgcc_s\.so\.1|libc\.so\.6|ld-linux.*)$'

SMALL='^(libz\.so\.1|libm\.so\.6|libc\.so\.6|ld-linux.*)$'
LARGEST=$((1536 * 1024))

libraries_of() { readelf --dynamic --wide "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

"${BAZEL[@]}" build --color=no --noshow_progress --compilation_mode=opt --disk_cache=/tmp/bazel-disk --jobs=2 //:embedder //:minimal
folder=$("${BAZEL[@]}" info --compilation_mode=opt --disk_cache=/tmp/bazel-disk --jobs=2 bazel-bin 2>/dev/null)
"$folder/embedder"

libraries=$(libraries_of "$folder/embedder")
echo "linked with:" $libraries
grep -qx 'libz.so.1' <<<"$libraries" || { echo "not even zlib: is tern in there?" >&2; exit 1; }
if extra=$(grep -vE "$ALLOWED" <<<"$libraries"); then
  echo "linked with more than zlib and the C++ runtime:" $extra >&2
  exit 1
fi

"$folder/minimal"
libraries=$(libraries_of "$folder/minimal")
size=$(stat --dereference --format=%s "$folder/minimal")
echo "a minimal producer: $size bytes of at most $LARGEST, linked with:" $libraries
if extra=$(grep -vE "$SMALL" <<<"$libraries"); then
  echo "the minimal producer is linked with more than zlib and the C library:" $extra >&2
  exit 1
fi
if ((size > LARGEST)); then
  echo "the minimal producer is too large" >&2
  exit 1
fi
"${BAZEL[@]}" shutdown
