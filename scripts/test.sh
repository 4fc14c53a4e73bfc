#!/usr/bin/env bash
# README's test command: installs what is missing, builds, runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --tests

# Python's own readers and writers of the formats check ours, where they can be installed; tests skip otherwise.
python=".build/python"
if [ ! -x "$python/bin/python" ] && command -v python3 >/dev/null; then
    mkdir -p .build
    if ! { python3 -m venv "$python" && "$python/bin/pip" install --quiet --disable-pip-version-check \
        numpy safetensors gguf tokenizers; } >/dev/null 2>&1; then
        rm -rf "$python"
        echo "test: the Python packages could not be installed; the tests that need them are skipped"
    fi
fi
[ -x "$python/bin/python" ] && export FORETOKEN_PYTHON="$PWD/$python/bin/python"

swift build -c release --build-tests
swift test -c release --skip-build "$@"
if [ -x scripts/test-neon.sh ]; then ./scripts/test-neon.sh; fi
