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

# `costs ROUNDS EMBEDDED ORIGINAL ARGUMENTS`: CPU of a first and of a later start of both.
costs() { env -i PATH=/usr/bin:/bin LANG=C.UTF-8 ${PEX_PATH:+PEX_PATH="$PEX_PATH"} python3 "$top/examples/measure.py" "$@"; }

# `find_spark VERSION...`: the Sparks to run on: those that EXAMPLE_SPARKS names, what SPARK_HOME names, else these from
# PyPI. Without a Java it says so and fails.
find_spark() {
    sparks=()
    if [ -z "${JAVA_HOME:-}" ]; then
        for JAVA_HOME in /usr/lib/jvm/*17*; do [ -x "$JAVA_HOME/bin/java" ] && break; done
    fi
    export JAVA_HOME
    [ -x "$JAVA_HOME/bin/java" ] || { say "left out: Java 17 (./setup --spark, or JAVA_HOME)"; return 1; }
    if [ -n "${EXAMPLE_SPARKS:-${SPARK_HOME:-}}" ]; then
        read -ra sparks <<<"${EXAMPLE_SPARKS:-$SPARK_HOME}"
        return
    fi
    local version tools=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/pexboot-examples
    [ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
    for version; do
        if [ ! -d "$tools/spark-$version" ]; then
            "$tools/bin/pip" install --quiet --no-deps --target "$tools/spark-$version.new" "pyspark==$version"
            mv "$tools/spark-$version.new" "$tools/spark-$version"
        fi
        sparks+=("$tools/spark-$version/pyspark")
    done
}

# `use_spark DIR`: SPARK_HOME is a directory of links to it, since executors work below SPARK_HOME; and its version.
use_spark() {
    export SPARK_HOME=$work/spark SPARK_LOCAL_IP=127.0.0.1
    rm -rf "$SPARK_HOME"
    mkdir "$SPARK_HOME"
    ln -s "$1"/* "$SPARK_HOME"
    rm -f "$SPARK_HOME/work"
    version=$(sed -n 's/^__version__[^=]*= *["'\'']\([^"'\'']*\).*/\1/p' "$1/version.py")
}

spark_submit() { "$SPARK_HOME/bin/spark-submit" --conf spark.ui.enabled=false "$@"; }

# A master and two workers on loopback; `master` is its address.
start_cluster() {
    local log=$work/cluster worker
    mkdir -p "$log"
    cluster=()
    spark_daemon master.Master "$log/master" --host 127.0.0.1 --port 0 --webui-port 0
    await "$log/master" "Starting Spark master at"
    master=$(sed -n 's/.*Starting Spark master at \(spark:[^ ]*\).*/\1/p' "$log/master")
    for worker in 1 2; do
        spark_daemon worker.Worker "$log/$worker" --host 127.0.0.1 --cores 1 --memory 1g --webui-port 0 --work-dir "$work/workers/$worker" "$master"
    done
    for worker in 1 2; do await "$log/$worker" "Successfully registered with master"; done
}

spark_daemon() {
    local class=$1 log=$2
    shift 2
    "$SPARK_HOME/bin/spark-class" "org.apache.spark.deploy.$class" "$@" >"$log" 2>&1 &
    cluster+=($!)
    at_end="kill ${cluster[*]} 2>/dev/null || true; wait"
}

stop_cluster() {
    kill "${cluster[@]}"
    wait "${cluster[@]}" || true
    at_end=:
    rm -rf "$work/workers" "$work/cluster"
}

# `await FILE WORDS`: until the file has them.
await() {
    for _ in $(seq 600); do
        grep -q "$2" "$1" 2>/dev/null && return
        read -rt 0.1 <> <(:) || true
    done
    cat "$1" >&2
    fail "$2"
}
