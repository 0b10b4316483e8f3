# What the stories share: where pexboot and pex come from, a place to work that is removed in the end, and words.
# Sourced by each `run`. Set PEXBOOT and PEX to use others than are found; EXAMPLE_PEX names a PEX that is built already.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
size=full
[ "${1:-}" = --small ] && size=small

work=$(mktemp -d)
at_end=:
trap 'eval "$at_end"; rm -rf "$work"' EXIT

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# The command line: what PEXBOOT names, what is installed, else what this clone builds.
pexboot() {
    if [ -z "${PEXBOOT:-}" ]; then
        PEXBOOT=$(command -v pexboot || true)
        if [ -z "$PEXBOOT" ]; then
            (cd "$top" && cargo build --release --quiet)
            PEXBOOT=$top/target/release/pexboot
        fi
    fi
    "$PEXBOOT" "$@"
}

# pex: what PEX names, else the pinned one in an environment of its own.
pex() {
    if [ -z "${PEX:-}" ]; then
        local tools=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/pexboot-examples
        [ -x "$tools/bin/pex" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet pex==2.105.2; }
        PEX=$tools/bin/pex
    fi
    $PEX "$@"
}

# `build OUT ARGUMENTS-OF-PEX`: the PEX that the story is about, or the one that was built already.
build() {
    local out=$1
    shift
    if [ -n "${EXAMPLE_PEX:-}" ]; then cp "$EXAMPLE_PEX" "$out"; else pex "$@" -o "$out" >/dev/null; fi
}

# Embedding says what it brings along, which is no matter here unless it fails.
embed() { pexboot embed "$1" -o "$2" 2>"$work/embed.log" || fail "$(cat "$work/embed.log")"; }
