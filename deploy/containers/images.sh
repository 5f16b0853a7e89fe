#!/usr/bin/env bash
# Builds the five images with docker, podman or buildah, whichever works here (in that order).
#
#   images.sh            build auth-service, user-service, qa-service, export-service and offline-llm
#   images.sh --check    build them, then start each one's processes against real parts and see them ready
#
# ENGINE=docker|podman|buildah   take this one
# BASE_IMAGE=…                   build on this Python image; buildah takes one that it has (pulled or made), else makes one
# IMAGE_PREFIX=intervai TAG=local   images are named $IMAGE_PREFIX/<service>:$TAG
set -euo pipefail
cd "$(dirname "$0")/../.."

IMAGES=(auth-service user-service qa-service export-service offline-llm)
IMAGE_PREFIX=${IMAGE_PREFIX:-intervai}
TAG=${TAG:-local}
LOCAL_BASE=localhost/intervai-base
export BUILDAH=${BUILDAH:-buildah --storage-driver vfs}
read -ra buildah <<<"$BUILDAH"

fail() { echo "images.sh: $*" >&2 && exit 1; }

find_engine() {
    if docker info >/dev/null 2>&1; then
        echo docker
    elif command -v podman >/dev/null; then
        echo podman
    elif command -v buildah >/dev/null; then
        echo buildah
    else
        fail "no docker, podman or buildah works here; on Debian: apt-get install -y buildah debootstrap"
    fi
}

# docker and podman take what the Dockerfiles name; buildah makes a base once from this machine's Debian mirror.
find_base() {
    if [[ -n ${BASE_IMAGE:-} || $ENGINE != buildah ]]; then
        echo "${BASE_IMAGE:-$(sed -n 's/^ARG BASE_IMAGE=//p' qa-service/Dockerfile)}"
        return
    fi
    "${buildah[@]}" inspect --type image "$LOCAL_BASE" >/dev/null 2>&1 || deploy/containers/base-image.sh "$LOCAL_BASE" >&2
    echo "$LOCAL_BASE"
}

# The machine's own pip settings that mean something inside a build, and its CA bundle: given as build secrets.
write_secrets() {
    local pip=.venv/bin/pip ca
    [[ -x $pip ]] || pip="python3 -m pip"
    $pip config list | sed -nE "s/^[^.]+\.(index-url|trusted-host|proxy|timeout|cert)='(.*)'$/\1 = \2/p" |
        awk 'BEGIN { print "[global]" } !seen[$1]++' >"$1/pip"
    ca=$(sed -n 's/^cert = //p' "$1/pip")
    if [[ -n $ca ]]; then
        cp "$ca" "$1/ca"
        sed -i 's|^cert = .*|cert = /run/secrets/ca|' "$1/pip"
    else
        : >"$1/ca"
    fi
}

build() {
    local image=$1 secrets=$2 folder=$1 started=$SECONDS name
    [[ -d $folder ]] || folder=deploy/$image
    name=$IMAGE_PREFIX/$image:$TAG
    local arguments=(--file "$folder/Dockerfile" --tag "$name" --build-arg "BASE_IMAGE=$BASE"
        --secret "id=pip,src=$secrets/pip" --secret "id=ca,src=$secrets/ca" .)
    case $ENGINE in
    docker) DOCKER_BUILDKIT=1 docker build --quiet "${arguments[@]}" ;;
    podman) podman build --quiet --format docker "${arguments[@]}" ;;
    buildah) "${buildah[@]}" build --quiet --format docker --isolation chroot --pull=never "${arguments[@]}" ;;
    esac >"$secrets/log" 2>&1 || { tail -n 30 "$secrets/log" >&2 && fail "$name was not built"; }
    printf '%-28s %5s   built in %d s\n' "$name" "$(size "$name")" $((SECONDS - started))
}

size() {
    case $ENGINE in
    docker) docker image ls --format '{{.Size}}' "$1" ;;
    podman) podman image ls --format '{{.Size}}' "$1" ;;
    buildah) "${buildah[@]}" images --format '{{.Size}}' "$1" ;;
    esac | head -n 1
}

case ${1:-} in "" | --check) ;; *) fail "unknown argument $1 (only --check)" ;; esac
ENGINE=${ENGINE:-$(find_engine)}
BASE=$(find_base)
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
write_secrets "$secrets"
echo "engine $ENGINE, base $BASE"
for image in "${IMAGES[@]}"; do
    build "$image" "$secrets"
done
if [[ ${1:-} == --check ]]; then
    .venv/bin/python deploy/containers/check.py --engine "$ENGINE" --prefix "$IMAGE_PREFIX" --tag "$TAG"
fi
