#!/usr/bin/env bash
# Installs what a bare Debian machine lacks to build foretoken. Safe to run again; does nothing when all is there.
set -euo pipefail

packages=(libopenblas-dev libpcre2-dev libzstd-dev libxxhash-dev zlib1g-dev)
if [ "${1:-}" = "--tests" ]; then
    # The other processor's kernels run under emulation, Python's readers judge our files, a browser our report.
    packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user python3-venv chromium)
fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    echo "setup: installing ${missing[*]}"
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! command -v swift >/dev/null; then
    echo "setup: no Swift toolchain found. foretoken needs Swift 6.2 or later: see https://www.swift.org/install/linux" >&2
    exit 1
fi
