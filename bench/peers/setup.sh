#!/usr/bin/env bash
# Creates bench/peers/.venv with what the PyTorch peer needs. Safe to run again: it changes nothing that is up to date.
# PYTHON chooses the interpreter (3.11 or newer).
set -euo pipefail
cd "$(dirname "$0")"
[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 -r requirements.txt
.venv/bin/python -c 'import torch; print("torch", torch.__version__)'
