# Sourced by tools/quickstart, tools/test and .ci/run: the tree's root, caches, configuring and building.
# shellcheck shell=sh

root=$(cd -- "$(dirname -- "$0")/.." && pwd -P)

# PoCL ends the process when it cannot write its cache: give it one that is writable where the user's is not.
writable_caches() {
    caches=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
    if ! mkdir -p "$caches/pocl" 2>/dev/null || [ ! -w "$caches/pocl" ]; then
        export XDG_CACHE_HOME="$root/build/cache"
        mkdir -p "$XDG_CACHE_HOME"
    fi
}

# configure FOLDER [meson's options]: once; meson itself notices later changes.
configure() {
    if [ -f "$1/build.ninja" ]; then return; fi
    folder=$1
    shift
    meson setup "$@" "$folder" "$root" </dev/null
}

build() {
    ninja -C "$1" </dev/null
}

# run_tests FOLDER [meson test's arguments]: runs them, prints failures, then a line of figures for this folder's run.
# Fails if a test failed or none ran. SUMMARY, if set, goes before the figures ("asan:").
run_tests() {
    folder=$1
    shift
    rm -f "$folder"/meson-logs/testlog*.json
    status=0
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@" </dev/null || status=$?
    python3 "$root/tools/summary" ${SUMMARY:+"$SUMMARY"} "$folder"/meson-logs/testlog*.json || status=1
    return "$status"
}
