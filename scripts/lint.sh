#!/usr/bin/env bash
# Formatting as the toolchain's own formatter sees it; any finding is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
swift format lint --strict -r Sources Tests Package.swift
echo "lint: clean"
