#!/usr/bin/env bash
# Lints everything about containers, offline, with the tools of .venv alone. Exits 1 if anything is found.
set -uo pipefail
cd "$(dirname "$0")/../.."

status=0
check() {
    local what=$1
    shift
    if "$@"; then echo "ok    $what"; else
        echo "FOUND $what" >&2
        status=1
    fi
}

# The compose plugin reads more than the schema does: merges, references, variables. It needs no engine.
compose_config() {
    local folder result=0
    folder=$(mktemp -d)
    ENV_FILE=$folder/env deploy/containers/make-env.sh >/dev/null &&
        docker compose --env-file "$folder/env" config --quiet || result=1
    for override in "${overrides[@]}"; do
        docker compose --env-file "$folder/env" --file docker-compose.yml --file "$override" config --quiet || result=1
    done
    rm -rf "$folder"
    return $result
}

mapfile -t dockerfiles < <(find . -name Dockerfile -not -path './.venv/*' -not -path './.local*' | sort)
mapfile -t scripts < <(find deploy/containers deploy/compose -name '*.sh' | sort)
mapfile -t overrides < <(grep -l '^services:' deploy/compose/*.yml)

check "Dockerfiles (hadolint): ${#dockerfiles[@]}" .venv/bin/hadolint --failure-threshold info "${dockerfiles[@]}"
check "docker-compose.yml (compose specification)" \
    .venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
check "deploy/compose overrides (compose specification): ${#overrides[@]}" \
    .venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec "${overrides[@]}"
check "docker-compose.yml, alone and with each override (labels, hardening, references, secrets)" \
    .venv/bin/python deploy/containers/check_compose.py
check "YAML (yamllint)" .venv/bin/yamllint --strict --config-file deploy/containers/yamllint.yml \
    docker-compose.yml deploy/containers/yamllint.yml "${overrides[@]}" deploy/compose/observability deploy/render/gateway
check "lock files of the images" deploy/containers/lock.sh --check
for script in "${scripts[@]}"; do
    check "$script (bash -n)" bash -n "$script"
done
if docker compose version >/dev/null 2>&1; then
    check "docker compose config" compose_config
fi
exit $status
