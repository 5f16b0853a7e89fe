#!/usr/bin/env bash
# Makes the base image with buildah alone, where no image registry can be reached: a minimal Debian with Python,
# from the Debian mirror this machine's apt is set to. Needs root, buildah and debootstrap.
#
#   base-image.sh [NAME]     NAME defaults to localhost/intervai-base
set -euo pipefail

NAME=${1:-localhost/intervai-base}
read -ra BUILDAH <<<"${BUILDAH:-buildah --storage-driver vfs}"

fail() { echo "base-image.sh: $*" >&2 && exit 1; }

[[ $(id -u) == 0 ]] || fail "debootstrap needs root"
for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install -y buildah debootstrap"
done

# The first archive of apt's sources, in either of their two formats: "mirror suite"
apt_source() {
    apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | grep -v -- '-security\|-updates' | head -n 1
}

read -r mirror suite <<<"$(apt_source)"
[[ -n ${suite:-} ]] || fail "apt has no package list yet: run apt-get update"

work=$(mktemp -d)
container=
clean() {
    [[ -z $container ]] || "${BUILDAH[@]}" rm "$container" >/dev/null
    rm -rf "$work"
}
trap clean EXIT

echo "base image $NAME: Debian $suite"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$work/root" "$mirror" \
    >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2 && fail "debootstrap failed"; }
# What no process reads: package lists and archives, documentation, translations.
rm -rf "$work"/root/var/{lib/apt/lists,cache/apt/archives,log}/* "$work"/root/usr/share/{doc,man,info,locale}/*
# The image must not name the mirror of the machine that made it.
rm -f "$work"/root/etc/apt/sources.list "$work"/root/etc/apt/sources.list.d/* "$work"/root/etc/resolv.conf

container=$("${BUILDAH[@]}" from scratch)
"${BUILDAH[@]}" copy "$container" "$work/root" / >/dev/null
"${BUILDAH[@]}" config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd python3 "$container"
"${BUILDAH[@]}" commit --quiet "$container" "$NAME" >/dev/null
