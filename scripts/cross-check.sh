#!/usr/bin/env bash
# The reference libraries of the formats judge our files, where Python's packages can be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.build/python
if [ ! -x "$python/bin/python" ]; then
    mkdir -p .build
    if ! { python3 -m venv "$python" && "$python/bin/pip" install --quiet --disable-pip-version-check \
        numpy safetensors gguf tokenizers; } >/dev/null 2>&1; then
        rm -rf "$python"
        echo "cross-check: skipped, the Python packages could not be installed; fixtures/golden stands in for them"
        exit 0
    fi
fi
# MLX judges its own layout, where it can be had.
"$python/bin/python" -c "import mlx.core" 2>/dev/null \
    || "$python/bin/pip" install --quiet --disable-pip-version-check "mlx[cpu]" >/dev/null 2>&1 || true
swift build -c release --product foretoken
"$python/bin/python" Tests/CrossCheck/cross_check.py "$(swift build -c release --show-bin-path)/foretoken"
