;; A command of WASI 0.2 that works on its first directory: {{RUN}}, with
;;   $open: opens the file whose name is at 16 ($len bytes), the descriptor; exits with 100 + its error otherwise
;;   $list: a stream of the directory's entries, or the same kind of exit
;;   $timer, $poll: a timer of no time; a poll of the list at $at
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p))
    (export "pollable" (type $pollable (eq $p)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (export "directory-entry-stream" (type $entries (sub resource)))
    (type $ec (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop"
      "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory"
      "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $ec)))
    (type $pf (flags "symlink-follow"))
    (export "path-flags" (type $path-flags (eq $pf)))
    (type $of (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open-flags (eq $of)))
    (type $df (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync"
      "mutate-directory"))
    (export "descriptor-flags" (type $descriptor-flags (eq $df)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $descriptor))
      (param "path-flags" $path-flags) (param "path" string) (param "open-flags" $open-flags)
      (param "flags" $descriptor-flags) (result (result (own $descriptor) (error $error-code)))))
    (export "[method]descriptor.read-directory" (func (param "self" (borrow $descriptor))
      (result (result (own $entries) (error $error-code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (alias export $types "directory-entry-stream" (type $entries))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d))
    (export "descriptor" (type $descriptor (eq $d)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))
  (import "wasi:cli/exit@0.2.12" (instance $exit
    (export "exit-with-code" (func (param "status-code" u8)))))

  (core module $memory
    (memory (export "memory") 200)
    ;; Whatever the host writes is read before the next call, so it may always begin at the same place, but for the two
    ;; parts of the list of directories.
    (global $turn (mut i32) (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $turn (i32.xor (global.get $turn) (i32.const 4096)))
      (i32.add (i32.const 8192) (global.get $turn))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $dirs (canon lower (func $preopens "get-directories") (memory $mem) (realloc $realloc)))
  (core func $open-at (canon lower (func $types "[method]descriptor.open-at") (memory $mem)))
  (core func $read-directory (canon lower (func $types "[method]descriptor.read-directory") (memory $mem)))
  (core func $drop (canon resource.drop $descriptor))
  (core func $drop-list (canon resource.drop $entries))
  (core func $timer (canon lower (func $clock "subscribe-duration")))
  (core func $poll (canon lower (func $poll "poll") (memory $mem) (realloc $realloc)))
  (core func $exit (canon lower (func $exit "exit-with-code")))
  (core module $main
    (import "host" "memory" (memory 200))
    (import "host" "dirs" (func $dirs (param i32)))
    (import "host" "open-at" (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "read-directory" (func $read-directory (param i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (import "host" "drop-list" (func $drop-list (param i32)))
    (import "host" "timer" (func $timer (param i64) (result i32)))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (import "host" "exit" (func $exit (param i32)))
    (data (i32.const 16) "file")
    (global $dir (mut i32) (i32.const 0))
    (global $count (mut i32) (i32.const 0))
    ;; Results are written at 64: whether it is an error, then the value or the error at 68.
    (func $result (result i32)
      (if (i32.load8_u (i32.const 64)) (then
        (call $exit (i32.add (i32.const 100) (i32.load8_u (i32.const 68))))))
      (i32.load (i32.const 68)))
    (func $open (param $len i32) (result i32)
      (call $open-at (global.get $dir) (i32.const 1) (i32.const 16) (local.get $len) (i32.const 0) (i32.const 1)
        (i32.const 64))
      (call $result))
    (func $list (result i32)
      (call $read-directory (global.get $dir) (i32.const 64))
      (call $result))
    (func $more (param $limit i32) (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (i32.lt_u (global.get $count) (local.get $limit)))
    (func (export "run") (result i32)
      (call $dirs (i32.const 64))
      (if (i32.load (i32.const 68)) (then (global.set $dir (i32.load (i32.load (i32.const 64))))))
      {{RUN}}
      (i32.const 0)))
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $mem)) (export "dirs" (func $dirs)) (export "open-at" (func $open-at))
    (export "read-directory" (func $read-directory)) (export "drop" (func $drop))
    (export "drop-list" (func $drop-list)) (export "timer" (func $timer)) (export "poll" (func $poll))
    (export "exit" (func $exit))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
