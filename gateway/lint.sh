#!/bin/sh
# Checks the gateway's files: YAML style here; gateway/tests starts the real Traefik with them.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/yamllint --strict --config-data \
    '{extends: default, rules: {line-length: {max: 140}, document-start: disable, comments: {min-spaces-from-content: 1}}}' \
    gateway
