#!/usr/bin/env bash
# README's test command: installs what is missing, builds, runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --tests
swift build -c release --build-tests
./scripts/test-neon.sh
./scripts/cross-check.sh
swift test -c release --skip-build "$@"
