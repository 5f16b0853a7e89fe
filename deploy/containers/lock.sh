#!/usr/bin/env bash
# Writes one lock file an image, deploy/containers/locks/<image>.lock: the packages of that image and nothing else,
# at the versions of requirements.lock, with hashes and no download address. `make lock` calls it after requirements.lock.
#
#   lock.sh           write the lock files (asks the package index)
#   lock.sh --check   offline: every pin of every lock file is a pin of requirements.lock; exit 1 if not
set -euo pipefail
cd "$(dirname "$0")/../.."

UV=${UV:-.venv/bin/uv}
OUT=deploy/containers/locks

pins() { grep -hoE '^[A-Za-z0-9._-]+==[^ ;\\]+' "$@" | sort -u; }

# compile <image> <requirement>...: our own packages are paths, so they are resolved but not listed
compile() {
    local image=$1
    shift
    printf '%s\n' "$@" | "$UV" pip compile - --quiet --universal --python-version 3.11 \
        --prerelease=if-necessary --constraints requirements.lock --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" \
        --no-emit-package intervai-shared --no-emit-package "$image" --output-file "$OUT/$image.lock"
    echo "$OUT/$image.lock: $(pins "$OUT/$image.lock" | wc -l) packages"
}

write_locks() {
    mkdir -p "$OUT"
    local service
    for service in auth-service user-service qa-service export-service; do
        compile "$service" "./$service" "./shared"
    done
    compile offline-llm ./deploy/offline-llm
    compile build hatchling # makes our own wheels in the build stage; never in an image
}

check_locks() {
    local lock stray status=0
    for lock in "$OUT"/*.lock; do
        stray=$(comm -23 <(pins "$lock") <(pins requirements.lock))
        if [[ -n $stray ]]; then
            echo "$lock: not the versions of requirements.lock: ${stray//$'\n'/, } (run: make lock)" >&2
            status=1
        fi
    done
    return $status
}

case ${1:-} in
"") write_locks ;;
--check) check_locks ;;
*) echo "usage: $0 [--check]" >&2 && exit 2 ;;
esac
