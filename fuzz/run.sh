#!/usr/bin/env bash
# Fuzzes each target for so many seconds and prints how often it ran. Fails at the first finding.
#
#   fuzz/run.sh SECONDS [TARGET…]
#
# What the fuzzer learns is kept in CORACLE_FUZZ_DIR (default: below the user's cache), so the next run goes on from there.
# CARGO_TARGET_DIR says where to build, as always.
set -euo pipefail

seconds=${1:?"usage: fuzz/run.sh SECONDS [TARGET…]"}
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kept=${CORACLE_FUZZ_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/coracle/fuzz}
built=${CARGO_TARGET_DIR:-$kept/target}
triple=$(rustc -vV | sed -n 's/^host: //p')
all=$(cd "$here/fuzz_targets" && ls -- *.rs | sed 's/\.rs$//')
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets <<<"$all"

# An input may take so many seconds and MiB: with sanitizers everything is several times slower and larger than it is.
timeout_seconds=5
memory_mib=2048

cargo +nightly fuzz build --fuzz-dir "$here" --target-dir "$built"

for target in "${targets[@]}"; do
    corpus=$kept/corpus/$target
    findings=$kept/findings/$target
    mkdir -p "$corpus" "$findings"
    log=$kept/$target.log
    max_len=4096
    options=(-max_total_time="$seconds" -timeout="$timeout_seconds" -rss_limit_mb="$memory_mib" -max_len="$max_len"
        -artifact_prefix="$findings/" -dict="$here/dicts/$target.dict" -print_final_stats=1)
    if ! "$built/$triple/release/$target" "${options[@]}" "$corpus" "$here/seeds/$target" 2>"$log"; then
        tail -n 40 "$log" >&2
        echo "$target: a finding; the input is in $findings" >&2
        exit 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    slowest=$(sed -n 's/^stat::slowest_unit_time_sec: *//p' "$log")
    echo "$target: $runs executions in $seconds s, the slowest took $slowest s, $(find "$corpus" -type f | wc -l) inputs kept"
done
