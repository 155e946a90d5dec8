;; A command of WASI 0.3 that waits, and asks for randomness: {{RUN}} is what it does, with
;;   $wait nanos            waits; $until mark the same for a point in time
;;   $pause nanos           begins to wait: 2 if that is over already, or the number of the call, times 16, and its state
;;   $yield                 lets others have a turn
;;   $new-set               a set of what is waited for, and $join puts a call into one; $over ends what is left of a call
;;   $next set              waits for one of those that have joined a set: its number
;;   $random len            the number of bytes given; $insecure the same
;;   $more limit            whether it was called less often than that
;; {{HOW}} says how that is called; if it is called back, {{AGAIN}} is what it does then.
(component
  (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock
    (export "now" (func (result u64)))
    (export "wait-until" (func async (param "when" u64)))
    (export "wait-for" (func async (param "how-long" u64)))))
  (import "wasi:random/random@0.3.0" (instance $random
    (export "get-random-bytes" (func (param "max-len" u64) (result (list u8))))))
  (import "wasi:random/insecure@0.3.0" (instance $insecure
    (export "get-insecure-random-bytes" (func (param "max-len" u64) (result (list u8))))))
  (import "wasi:cli/exit@0.3.0" (instance $exit
    (export "exit-with-code" (func (param "status-code" u8)))))
  (core module $memory
    (memory (export "memory") 40)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (type $bytes (stream u8))
  (type $done (result))
  (core func $until (canon lower (func $clock "wait-until")))
  (core func $wait (canon lower (func $clock "wait-for")))
  (core func $pause (canon lower (func $clock "wait-for") async))
  (core func $random (canon lower (func $random "get-random-bytes") (memory $mem) (realloc $realloc)))
  (core func $insecure
    (canon lower (func $insecure "get-insecure-random-bytes") (memory $mem) (realloc $realloc)))
  (core func $exit (canon lower (func $exit "exit-with-code")))
  (core func $set (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core func $next (canon waitable-set.wait (memory $mem)))
  (core func $over (canon subtask.drop))
  (core func $yield (canon thread.yield))
  (core func $new-bytes (canon stream.new $bytes))
  (core func $read (canon stream.read $bytes async (memory $mem)))
  (core func $write (canon stream.write $bytes async (memory $mem)))
  (core func $return (canon task.return (result $done)))
  (core module $main
    (import "host" "memory" (memory 40))
    (import "host" "until" (func $until (param i64)))
    (import "host" "wait" (func $wait (param i64)))
    (import "host" "pause" (func $pause (param i64) (result i32)))
    (import "host" "random" (func $random-raw (param i64 i32)))
    (import "host" "insecure" (func $insecure-raw (param i64 i32)))
    (import "host" "exit" (func $exit (param i32)))
    (import "host" "set" (func $new-set (result i32)))
    (import "host" "join" (func $join (param i32 i32)))
    (import "host" "next" (func $next-raw (param i32 i32) (result i32)))
    (import "host" "over" (func $over (param i32)))
    (import "host" "yield" (func $yield (result i32)))
    (import "host" "new-bytes" (func $new-bytes (result i64)))
    (import "host" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32) (result i32)))
    (import "host" "return" (func $return (param i32)))
    (global $count (mut i32) (i32.const 0))
    (global $set (mut i32) (i32.const 0))
    (global $ends (mut i64) (i64.const 0))
    (func $random (param $len i64) (result i32)
      (call $random-raw (local.get $len) (i32.const 16))
      (i32.load (i32.const 20)))
    (func $insecure (param $len i64) (result i32)
      (call $insecure-raw (local.get $len) (i32.const 16))
      (i32.load (i32.const 20)))
    (func $next (param $set i32) (result i32)
      (drop (call $next-raw (local.get $set) (i32.const 32)))
      (i32.load (i32.const 32)))
    (func $more (param $limit i32) (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (i32.lt_u (global.get $count) (local.get $limit)))
    (func (export "run") (result i32) (local $at i32)
      {{RUN}})
    (func (export "callback") (param $event i32) (param $which i32) (param $what i32) (result i32)
      {{AGAIN}}))
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $mem)) (export "until" (func $until)) (export "wait" (func $wait))
    (export "pause" (func $pause)) (export "random" (func $random)) (export "insecure" (func $insecure))
    (export "exit" (func $exit)) (export "set" (func $set)) (export "join" (func $join))
    (export "next" (func $next)) (export "over" (func $over)) (export "yield" (func $yield))
    (export "new-bytes" (func $new-bytes)) (export "read" (func $read)) (export "write" (func $write))
    (export "return" (func $return))))))
  (type $run-type (func async (result (result))))
  (func $run (type $run-type) (canon lift (core func $main "run") {{HOW}}))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.3.0" (instance $run)))
