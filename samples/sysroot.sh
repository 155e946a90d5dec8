#!/usr/bin/env bash
# Makes a Rust toolchain for wasm32-wasip1 and wasm32-wasip2 out of Debian packages, for machines on which
# `rustup target add` cannot download one. Takes about a minute on two cores.
#
#   samples/sysroot.sh DIR      then: source DIR/env; cargo build --target wasm32-wasip2 --release
#
# Debian has the compiler (rustc-web), the standard library's source and wasi-libc, but no precompiled std for
# these targets: std is built here, once. The linkers come with the host toolchain of rustup (1.95 or newer).
set -euo pipefail

out=$(realpath -m "${1:?usage: sysroot.sh DIR}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install_packages() {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends rustc-web cargo-web rust-web-src wasi-libc lld >/dev/null
}

# wasm32-wasip2 needs a newer wasi-libc than bookworm has: take trixie's, unpacked and never installed.
fetch_newer_libc() {
    local mirror apt=$work/apt
    mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -n 1)
    mkdir -p "$apt"/lists/partial "$apt"/archives/partial
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/list"
    local options=(-oDir::Etc::sourcelist="$apt/list" -oDir::Etc::sourceparts=- -oDir::State::lists="$apt/lists" -oDir::Cache="$apt")
    apt-get "${options[@]}" update -qq
    (cd "$work" && apt-get "${options[@]}" download -qq wasi-libc && dpkg -x wasi-libc_*.deb newer)
}

# An empty crate with `-Zbuild-std` leaves the rlibs of std behind.
build_std() {
    local target=$1 crate=$work/std
    mkdir -p "$crate/src"
    echo '#![no_std]' >"$crate/src/lib.rs"
    cat >"$crate/Cargo.toml" <<'TOML'
[package]
name = "only-std"
version = "0.0.0"
edition = "2021"
[profile.release]
panic = "abort"
opt-level = "s"
[workspace]
TOML
    (cd "$crate" && CARGO_TARGET_DIR=$work/target RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS="-C embed-bitcode=yes" \
        /usr/bin/cargo build --quiet --release --target "$target" -Zbuild-std=std,panic_abort)
    local lib=$out/lib/rustlib/$target/lib
    rm -rf "$lib"
    mkdir -p "$lib/self-contained"
    cp "$work/target/$target/release/deps/"*.rlib "$lib/"
    rm -f "$lib"/libonly_std-*.rlib
}

install_packages
fetch_newer_libc
mkdir -p "$out/lib/rustlib"
for part in x86_64-unknown-linux-gnu etc src; do
    ln -sfn "/usr/lib/rustlib/$part" "$out/lib/rustlib/$part"
done
build_std wasm32-wasip1
build_std wasm32-wasip2
cp /usr/lib/wasm32-wasi/{crt1-command.o,crt1-reactor.o,libc.a} "$out/lib/rustlib/wasm32-wasip1/lib/self-contained/"
cp "$work"/newer/usr/lib/wasm32-wasip2/{crt1-command.o,crt1-reactor.o,libc.a} "$out/lib/rustlib/wasm32-wasip2/lib/self-contained/"

printf '#!/bin/sh\nexec /usr/bin/rustc --sysroot %q "$@"\n' "$out" >"$out/rustc"
chmod +x "$out/rustc"
host=$(rustup run 1.95.0 rustc --print sysroot 2>/dev/null || rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin
cat >"$out/env" <<ENV
export RUSTC=$out/rustc CARGO=/usr/bin/cargo
export CARGO_TARGET_WASM32_WASIP1_LINKER=$host/rust-lld CARGO_TARGET_WASM32_WASIP2_LINKER=$host/wasm-component-ld
export PATH=$host/gcc-ld:\$PATH
ENV
echo "ready: source $out/env"
