#!/bin/sh
# with_python.sh PYTHON FILE - runs a Python test; without a Python it is skipped.
if ! command -v "$1" >/dev/null; then
    echo 'skipped: python3 is not installed'
    exit 77
fi
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
exec "$@"
