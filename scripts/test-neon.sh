#!/bin/sh
# Builds the C kernels and Tests/CKernelsNEON for 64-bit ARM and runs them: under qemu on another processor.
# Needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user (Debian).
set -eu
cd "$(dirname "$0")/.."
out=.build/neon
mkdir -p "$out"
compiler=aarch64-linux-gnu-gcc
# gcc does not know the pragma that keeps products and sums apart; its option does the same.
flags="-std=c17 -O2 -ffp-contract=off -Wall -Wextra -Werror -Wno-unknown-pragmas"
runner="qemu-aarch64 -cpu max"
if [ "$(uname -m)" = aarch64 ]; then
    compiler=cc
    runner=
fi
rm -f "$out"/*.o "$out"/*.a
for source in Sources/CKernels/*.c; do
    case $source in
    */search_* | */group_* | */moments*) continue ;; # vectors of clang's that gcc does not know; nothing in them is for ARM alone
    esac
    object="$out/$(basename "$source" .c).o"
    $compiler $flags -ISources/CKernels/include -c "$source" -o "$object"
done
ar=aarch64-linux-gnu-ar
[ "$(uname -m)" = aarch64 ] && ar=ar
$ar rcs "$out/kernels.a" "$out"/*.o
for test in Tests/CKernelsNEON/*.c; do
    program="$out/$(basename "$test" .c)"
    $compiler $flags -static -ISources/CKernels/include -ISources/CKernels \
        "$test" "$out/kernels.a" -o "$program" -lpthread -lm
    $runner "$program"
done
