#!/usr/bin/env bash
# Builds the samples' Wasm files, and proves that the committed ones come from their sources.
#
#   samples/build.sh [NAME…]            builds (all of them when none is named) into samples/NAME/NAME.wasm
#   samples/build.sh --check [NAME…]    builds into a temporary directory and compares with what is committed
#
# Rust samples use `rustup target add wasm32-wasip1 wasm32-wasip2` where that works. CORACLE_GUEST_SYSROOT names a
# sysroot made by samples/sysroot.sh instead; the committed files were built with it (Debian's rustc-web), so
# --check needs it. C needs clang and wasi-libc, Go the `go` command, JavaScript npm and Python pip.
set -euo pipefail
cd "$(dirname "$0")"

RUST=(hello tcp-echo batch config toolbox hello-p3 toolbox-p3 counter)
COMMITTED=("${RUST[@]}" hello-c hello-go)
# Engines of 13 and 18 MB are not committed: their samples are built before they are run.
UNCOMMITTED=(hello-js hello-python)
CACHE=${CORACLE_GUEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coracle/guests}

rust() { # NAME OUT
    local target=wasm32-wasip2 name=$1
    [ "$name" = batch ] && target=wasm32-wasip1
    (
        [ -z "${CORACLE_GUEST_SYSROOT:-}" ] || source "$CORACLE_GUEST_SYSROOT/env"
        home=${CARGO_HOME:-$HOME/.cargo}
        # Incremental compilation, which a machine's own configuration may ask for, cuts code into other pieces.
        export CARGO_INCREMENTAL=0
        export CARGO_TARGET_DIR=$CACHE RUSTFLAGS="--remap-path-prefix=$PWD=/samples --remap-path-prefix=$home=/cargo --remap-path-prefix=${CORACLE_GUEST_SYSROOT:-/none}=/sysroot"
        "${CARGO:-cargo}" build --quiet --locked --release --target "$target" -p "$name"
    )
    # A library's file has its name with underscores.
    local built=$CACHE/$target/release/$name.wasm
    [ -f "$built" ] || built=$CACHE/$target/release/${name//-/_}.wasm
    cp "$built" "$2"
}

c() { # NAME OUT
    clang --target=wasm32-wasi -Os -s -o "$2" "$1/hello.c"
}

go_() { # NAME OUT
    (cd "$1" && GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 GOFLAGS=-trimpath go build -buildvcs=false -ldflags='-s -w -buildid=' -o "$2" .)
}

# The WIT of wasi:http comes with the wasip2 crate that the Rust samples use.
wit() {
    local manifest
    manifest=$("${CARGO:-cargo}" metadata --locked --format-version 1 | python3 -c '
import json, sys
print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "wasip2"))')
    echo "$(dirname "$manifest")/wit"
}

javascript() { # NAME OUT
    mkdir -p "$CACHE/javascript"
    (cd "$CACHE/javascript" && npm install --silent --no-save @bytecodealliance/componentize-js@0.23.0)
    cp "$1/componentize.mjs" "$CACHE/javascript/"
    node "$CACHE/javascript/componentize.mjs" "$PWD/$1/hello.js" "$(wit)" "$2"
}

python() { # NAME OUT
    [ -x "$CACHE/python/bin/componentize-py" ] || {
        python3 -m venv "$CACHE/python"
        "$CACHE/python/bin/pip" install --quiet componentize-py==0.25.1
    }
    (wit=$(wit) && cd "$1" && "$CACHE/python/bin/componentize-py" -d "$wit" -w wasi:http/proxy@0.2.12 componentize app -o "$2")
}

build() { # NAME OUT
    case $1 in
    hello-c) c "$@" ;;
    hello-go) go_ "$@" ;;
    hello-js) javascript "$@" ;;
    hello-python) python "$@" ;;
    *) rust "$@" ;;
    esac
    chmod 644 "$2"
}

check() {
    local status=0
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    for name in "$@"; do
        build "$name" "$scratch/$name.wasm"
        if cmp -s "$scratch/$name.wasm" "$name/$name.wasm"; then
            echo "same      $name"
        else
            echo "DIFFERS   $name: the committed $name.wasm is not what its source builds to; run samples/build.sh $name"
            status=1
        fi
    done
    return $status
}

if [ "${1:-}" = --check ]; then
    shift
    [ $# -gt 0 ] || set -- "${COMMITTED[@]}"
    check "$@"
    exit
fi
[ $# -gt 0 ] || set -- "${COMMITTED[@]}" "${UNCOMMITTED[@]}"
for name in "$@"; do
    build "$name" "$PWD/$name/$name.wasm"
    printf '%10d  %s\n' "$(stat -c %s "$name/$name.wasm")" "$name/$name.wasm"
done
