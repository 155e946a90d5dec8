;; A command of WASI 0.3 that asks wasi:config for NAME, which has four letters, and adds 5 to the counter NAME in the
;; bucket `data`, which it expects to be new. It fails if anything is otherwise.
(component
    (import "wasi:config/store@0.2.0-rc.1" (instance $config
        (type $cases (variant (case "upstream" string) (case "io" string)))
        (export "error" (type $error (eq $cases)))
        (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))
    (import "wasi:keyvalue/store@0.2.0-draft" (instance $store
        (export "bucket" (type $bucket (sub resource)))
        (type $cases (variant (case "no-such-store") (case "access-denied") (case "other" string)))
        (export "error" (type $error (eq $cases)))
        (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
    (alias export $store "bucket" (type $bucket))
    (alias export $store "error" (type $error))
    (import "wasi:keyvalue/atomics@0.2.0-draft" (instance $atomics
        (alias outer 1 $bucket (type $outer-bucket))
        (export "bucket" (type $bucket (eq $outer-bucket)))
        (alias outer 1 $error (type $outer-error))
        (export "error" (type $error (eq $outer-error)))
        (export "increment" (func
            (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" u64)
            (result (result u64 (error $error)))))))
    (core module $libc
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
    (core instance $libc (instantiate $libc))
    (alias core export $libc "memory" (core memory $memory))
    (alias core export $libc "realloc" (core func $realloc))
    (core func $get (canon lower (func $config "get") (memory $memory) (realloc $realloc)))
    (core func $open (canon lower (func $store "open") (memory $memory) (realloc $realloc)))
    (core func $increment (canon lower (func $atomics "increment") (memory $memory) (realloc $realloc)))
    (core module $main
        (import "host" "get" (func $get (param i32 i32 i32)))
        (import "host" "open" (func $open (param i32 i32 i32)))
        (import "host" "increment" (func $increment (param i32 i32 i32 i64 i32)))
        (import "libc" "memory" (memory 1))
        (data (i32.const 100) "data")
        (data (i32.const 200) "NAME")
        (func (export "run") (result i32)
            (call $get (i32.const 200) (i32.const 4) (i32.const 304))
            (if (i32.load8_u (i32.const 304)) (then (return (i32.const 1))))
            (if (i32.ne (i32.load8_u (i32.const 308)) (i32.const 1)) (then (return (i32.const 1))))
            (if (i32.ne (i32.load (i32.const 316)) (i32.const 4)) (then (return (i32.const 1))))
            (call $open (i32.const 100) (i32.const 4) (i32.const 320))
            (if (i32.load8_u (i32.const 320)) (then (return (i32.const 1))))
            (call $increment
                (i32.load (i32.const 324)) (i32.const 200) (i32.const 4) (i64.const 5) (i32.const 344))
            (if (i32.load8_u (i32.const 344)) (then (return (i32.const 1))))
            (i64.ne (i64.load (i32.const 352)) (i64.const 5))))
    (core instance $main (instantiate $main
        (with "host" (instance
            (export "get" (func $get)) (export "open" (func $open)) (export "increment" (func $increment))))
        (with "libc" (instance $libc))))
    (type $run-type (func async (result (result))))
    (func $run (type $run-type) (canon lift (core func $main "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.3.0" (instance $run)))
