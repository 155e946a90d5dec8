//! Files of pods: what changes while a pod runs, and what is bound before it does.

mod claims;
mod env_file;
mod host_paths;
mod images;
mod local;
mod read_only;
mod together;
mod updates;

/// Prints the file `key` of its first volume every 50 ms, for ever. The directories of a command are in the order of
/// their names, and `/` is the first: a volume at `/a` is the second.
const READER: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "key")
    (data (i32.const 200) "none")
    (data (i32.const 80) "\01\00\00\00")                 ;; a subscription at 64: the monotonic clock
    (data (i32.const 88) "\80\f0\fa\02\00\00\00\00")     ;; 50,000,000 ns from now
    (func $print (param $at i32) (param $length i32)
        (i32.store8 (i32.add (local.get $at) (local.get $length)) (i32.const 10))
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (i32.add (local.get $length) (i32.const 1)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func $show
        (if (call $open (i32.const 4) (i32.const 1) (i32.const 100) (i32.const 3) (i32.const 0)
                (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16))
            (then (call $print (i32.const 200) (i32.const 4)) (return)))
        (i32.store (i32.const 0) (i32.const 1000))
        (i32.store (i32.const 4) (i32.const 1000))
        (drop (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $print (i32.const 1000) (i32.load (i32.const 8)))
        (drop (call $close (i32.load (i32.const 16)))))
    (func (export "_start") (loop $again
        (call $show)
        (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 40)))
        (br $again))))"#;
