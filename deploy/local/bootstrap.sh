#!/bin/sh
# Makes .venv from requirements.lock and installs the packages of this repository into it, editable.
# Needs Python >= 3.11 with its venv module; PYTHON chooses the interpreter.
set -eu
cd "$(dirname "$0")/../.."
packages="shared auth-service user-service qa-service export-service deploy/backup deploy/capacity deploy/local deploy/offline-llm"

fail() {
    echo "$1" >&2
    exit 1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed${PYTHON:+ ($PYTHON is not)}: install it, or name it with PYTHON=/path/to/python3"
}

# A virtual environment that was moved or copied names another folder in its scripts, and would use that one.
is_ours() {
    .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
        grep -qs "[!\" ]$PWD/.venv/bin/python" .venv/bin/pip
}

# Two makes in a fresh clone must not both make it; where there is no flock, they are one person's to keep apart.
exec 9>.venv.lock
flock 9 2>/dev/null || true

python=$(find_python)
if ! is_ours; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module: apt-get install python3-venv (or your system's package of it), then again"
    echo "making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi

if ! .venv/bin/uv --version >/dev/null 2>&1; then
    echo "installing uv"
    sed -n '/^uv==/,/^[^ ]/p' requirements.lock | sed -e '/^uv==/b' -e '/^ /!d' > .venv/uv.lock
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
fi

# Compiled here once: a process that compiles its imports itself is 15 MB larger and starts a second later.
echo "installing what requirements.lock pins"
if ! .venv/bin/uv pip install --python .venv/bin/python --compile-bytecode --require-hashes -r requirements.lock; then
    echo "uv could not; trying with pip"
    .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
fi

editable=""
for package in $packages; do
    editable="$editable -e $package"
done
# shellcheck disable=SC2086  # one argument a word
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation $editable
.venv/bin/python -m compileall -q shared/src ./*-service/src deploy/*/src
touch .venv/.stamp
