//! The guests, as WebAssembly text: preview 1 modules that read their first argument as a number.

/// A module whose `_start` is `body`; `$number` is the first argument.
fn module(body: &str) -> Vec<u8> {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 4)
        (func $number (result i32)
            (local $at i32) (local $digit i32) (local $sum i32)
            (drop (call $args (i32.const 1024) (i32.const 2048)))
            (local.set $at (i32.load (i32.const 1028)))
            (loop $next
                (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
                (if (i32.lt_u (local.get $digit) (i32.const 10)) (then
                    (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 10)) (local.get $digit)))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br $next))))
            (local.get $sum))
        (func (export "_start") (local $i i32) {body}))"#
    )
    .into_bytes()
}

/// Writes the given number of MiB in lines of 128 bytes, 64 KiB at a time.
pub fn chatty() -> Vec<u8> {
    module(WRITE)
}

/// The same; or sleeps for an hour, if the number is 0.
pub fn talker() -> Vec<u8> {
    module(&format!(
        "(if (i32.eqz (call $number)) (then
            (i32.store8 (i32.const 72) (i32.const 0))
            (i32.store (i32.const 80) (i32.const 1))
            (i64.store (i32.const 88) (i64.const 3600000000000))
            (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 40)))
            (return)))
         {WRITE}"
    ))
}

/// Traps at once.
pub fn faulty() -> Vec<u8> {
    module("unreachable")
}

/// Computes for ever.
pub fn spinner() -> Vec<u8> {
    module("(loop $forever (br $forever))")
}

/// Reads its input to the end and then says a word.
pub fn listener() -> Vec<u8> {
    module(
        "(i32.store (i32.const 0) (i32.const 65536))
         (i32.store (i32.const 4) (i32.const 65536))
         (loop $more
            (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br_if $more (i32.load (i32.const 8))))
         (i32.store (i32.const 4) (i32.const 4))
         (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))",
    )
}

/// Writes the given number of MiB.
const WRITE: &str = "(local.set $i (i32.const 65536))
         (loop $fill
            (i32.store8 (local.get $i)
                (select (i32.const 10) (i32.const 120)
                    (i32.eq (i32.and (local.get $i) (i32.const 127)) (i32.const 127))))
            (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 131072))))
         (i32.store (i32.const 0) (i32.const 65536))
         (i32.store (i32.const 4) (i32.const 65536))
         (local.set $i (i32.mul (call $number) (i32.const 16)))
         (loop $more
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br_if $more (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))";

/// Sleeps the given number of milliseconds and exits. Its exit code is when: the low eight bits of the wall clock's
/// milliseconds.
pub fn sleeper() -> Vec<u8> {
    module(
        "(i32.store8 (i32.const 72) (i32.const 0))
         (i32.store (i32.const 80) (i32.const 1))
         (i64.store (i32.const 88) (i64.mul (i64.extend_i32_u (call $number)) (i64.const 1000000)))
         (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 40)))
         (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 16)))
         (call $exit (i32.and (i32.const 255)
            (i32.wrap_i64 (i64.div_u (i64.load (i32.const 16)) (i64.const 1000000)))))",
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_are_modules() {
        for text in
            [super::chatty(), super::sleeper(), super::talker(), super::listener(), super::spinner(), super::faulty()]
        {
            let engine = coracle_wasi_host::Engine::new(coracle_wasi_host::EngineConfig {
                max_instances: 4,
                ..coracle_wasi_host::EngineConfig::default()
            });
            engine.unwrap().compile(&text).unwrap();
        }
    }
}
