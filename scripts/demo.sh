#!/usr/bin/env bash
# README's main command: installs what is missing, builds, takes the model in fixtures/pycode to small files, decodes
# several tokens a pass with the graft beside it, and leaves a report of what was lost and gained in out/report.html.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh

echo "demo: building"
swift build -c release --product foretoken
foretoken="$(swift build -c release --show-bin-path)/foretoken"
model=fixtures/pycode
graft=fixtures/pycode-graft/pycode-graft.gguf
prompts=fixtures/prompts.jsonl
rm -rf out
mkdir -p out

echo "demo: checking the checkpoint"
"$foretoken" check "$model"

echo "demo: converting"
"$foretoken" convert "$model" -o out/pycode-bf16.gguf --type bf16
"$foretoken" check out/pycode-bf16.gguf --against "$model"

echo "demo: measuring which columns matter"
"$foretoken" calibrate out/pycode-bf16.gguf --text fixtures/make.py -o out/importance.gguf

echo "demo: quantizing"
for type in q8_0 q4_k_m q4_0; do
    "$foretoken" quantize out/pycode-bf16.gguf -o "out/pycode-$type.gguf" --type "$type" --importance out/importance.gguf
done
bytes=$(stat -c %s out/pycode-q4_k_m.gguf)
"$foretoken" quantize out/pycode-bf16.gguf -o out/pycode-planned.gguf --size "$bytes" --importance out/importance.gguf

echo "demo: running"
"$foretoken" run out/pycode-q4_k_m.gguf --graft "$graft" -n 48 --raw -p "def read_config(path):"

echo "demo: verifying"
"$foretoken" verify "$model" out/pycode-{q8_0,q4_k_m,q4_0,planned}.gguf --graft "$graft" --prompts "$prompts" \
    --max-kl 0.05 --report out/report.html
browser="$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)"
if [ -n "$browser" ]; then
    "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir=out/browser \
        --window-size=1040,1500 --screenshot=out/report.png "file://$PWD/out/report.html" 2> /dev/null ||
        echo "demo: $browser took no picture of it"
    rm -rf out/browser
fi
echo "demo: the report is in out/report.html"
