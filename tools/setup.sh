#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages of tools/packages.txt that are missing. Says nothing and touches no
# network when none is. `tools/setup.sh --list` only prints what is missing.
set -eu

list="$(dirname "$0")/packages.txt"

# Prints the packages of the list that this machine lacks.
missing_packages()
{
    installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null |
        sed -n 's/^installed //p' | tr '\n' ' ')"
    sed 's/#.*//' "$list" | while read -r package condition name; do
        case "$condition" in
        if-no-command) if command -v "$name" >/dev/null 2>&1; then continue; fi ;;
        esac
        case "$package" in
        "") continue ;;
        esac
        case "$installed" in
        *" $package "*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is not a Debian system; make sure that you have what $list names" >&2
    exit 0
fi

missing=$(missing_packages)
if [ "${1:-}" = --list ]; then
    echo "$missing"
    exit 0
fi
if [ -z "$missing" ]; then
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "setup: packages are missing, and there is no sudo; as root, run:" >&2
        echo "    apt-get update && apt-get install -y --no-install-recommends $missing" >&2
        exit 1
    fi
    as_root=sudo
    if [ ! -t 0 ]; then
        as_root="sudo -n"
    fi
fi

echo "setup: installing $missing" >&2
apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
# shellcheck disable=SC2086 # both are lists of words
$apt update >&2 </dev/null && $apt install -y --no-install-recommends $missing >&2 </dev/null || {
    echo "setup: could not install; as root, run:" >&2
    echo "    apt-get update && apt-get install -y --no-install-recommends $missing" >&2
    exit 1
}
