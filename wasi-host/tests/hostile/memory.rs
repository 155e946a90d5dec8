//! Memory, tables and collected objects, up to their limits and in bulk.

use std::time::Duration;

use coracle_wasi_host::{Engine, EngineConfig, Exit, ExitReason, limits};

use crate::{
    end, kill,
    support::{HTTP, TestNetwork, container, get, module, pod, pod_of, program, until},
};

const MIB: u64 = 1 << 20;

/// Runs a program under a memory limit to its end.
async fn exit_of(text: &str, limit_bytes: u64) -> ExitReason {
    let (mut config, _) = container(program(text));
    config.memory_limit_bytes = Some(limit_bytes);
    let container = pod().start(config).await.unwrap();
    let exit = end(&container).await;
    assert_eq!(container.usage().memory_bytes, 0, "all is returned: {exit:?}");
    exit.reason
}

#[tokio::test]
async fn all_memories_of_a_program_count() {
    let memories: String = (0..limits::MEMORIES_PER_INSTANCE).map(|n| format!("(memory $m{n} 16)")).collect();
    let text = format!(r#"(module {memories} (func (export "_start")))"#);
    assert_eq!(exit_of(&text, 15 * MIB).await, ExitReason::OutOfMemory);
    assert_eq!(exit_of(&text, 16 * MIB).await, ExitReason::Completed);
    let growing = format!(
        r#"(module {memories} (func (export "_start") (loop
            (drop (memory.grow $m1 (i32.const 16))) (drop (memory.grow $m9 (i32.const 16))) (br 0))))"#
    );
    assert_eq!(exit_of(&growing, 32 * MIB).await, ExitReason::OutOfMemory);
}

#[tokio::test]
async fn memory_of_64_bits_has_the_same_limit() {
    let growing =
        r#"(module (memory i64 1) (func (export "_start") (loop (drop (memory.grow (i64.const 64))) (br 0))))"#;
    assert_eq!(exit_of(growing, 16 * MIB).await, ExitReason::OutOfMemory);
    // More than the engine's ceiling at once is a growth that fails, not one that is tried.
    let absurd = r#"(module (memory i64 1) (func (export "_start")
        (if (i64.ne (memory.grow (i64.const 0x1000000000000)) (i64.const -1)) (then unreachable))))"#;
    assert_ne!(exit_of(absurd, 16 * MIB).await, ExitReason::Trap);
}

#[tokio::test]
async fn tables_end_at_their_limit() {
    let text = format!(
        r#"(module (table $t 1 funcref) (func (export "_start")
            (if (i32.eq (table.grow $t (ref.null func) (i32.const {fits})) (i32.const -1)) (then unreachable))
            (if (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable))
            (if (i32.ne (table.grow $t (ref.null func) (i32.const -1)) (i32.const -1)) (then unreachable))))"#,
        fits = limits::TABLE_ELEMENTS - 1
    );
    assert_eq!(exit_of(&text, MIB).await, ExitReason::Completed);
}

#[tokio::test]
async fn collected_objects_are_memory_too() {
    let hoarding = r#"(module
        (type $bytes (array (mut i8)))
        (type $all (array (mut (ref null $bytes))))
        (func (export "_start") (local $all (ref $all)) (local $n i32)
            (local.set $all (array.new_default $all (i32.const 1000)))
            (loop
                (array.set $all (local.get $all) (local.get $n) (array.new_default $bytes (i32.const 1000000)))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get $n) (i32.const 1000))))))"#;
    let reason = exit_of(hoarding, 32 * MIB).await;
    // Wasmtime turns a refused growth of this heap into a trap.
    assert!(matches!(reason, ExitReason::OutOfMemory | ExitReason::Trap), "{reason:?}");
    let dropping = r#"(module
        (type $bytes (array (mut i8)))
        (func (export "_start") (local $n i32) (loop
            (drop (array.new_default $bytes (i32.const 1000000)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $n) (i32.const 1000))))))"#;
    assert_eq!(exit_of(dropping, 64 * MIB).await, ExitReason::Completed, "what is dropped is collected");
}

/// Places in the pool stay resident from one instance to the next, and are cleaned by hand where that is cheaper.
#[tokio::test]
async fn what_one_tenant_wrote_no_other_finds() {
    let engine = Engine::new(EngineConfig { max_instances: 2, ..EngineConfig::default() }).unwrap();
    let writes = r#"(module (memory 1) (table $t 10 funcref) (elem declare func $f) (func $f)
        (func (export "_start")
            (drop (memory.grow (i32.const 40)))
            (memory.fill (i32.const 0) (i32.const 0xab) (i32.const 0x290000))
            (drop (table.grow $t (ref.func $f) (i32.const 1000)))
            (table.fill $t (i32.const 0) (ref.func $f) (i32.const 1010))))"#;
    let finds = r#"(module (memory 1) (table $t 10 funcref)
        (func (export "_start") (local $at i32)
            (drop (memory.grow (i32.const 40)))
            (loop $words
                (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $words (i32.lt_u (local.get $at) (i32.const 0x290000))))
            (drop (table.grow $t (ref.null func) (i32.const 1000)))
            (local.set $at (i32.const 0))
            (loop $entries
                (if (i32.eqz (ref.is_null (table.get $t (local.get $at)))) (then unreachable))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br_if $entries (i32.lt_u (local.get $at) (i32.const 1010))))))"#;
    let programs = [writes, finds].map(|text| engine.compile(text.as_bytes()).unwrap());
    for program in programs.iter().cycle().take(100) {
        let (pod, _) = pod_of(&engine, TestNetwork::default(), None);
        let exit = end(&pod.start(container(program.clone()).0).await.unwrap()).await;
        assert_eq!(exit.reason, ExitReason::Completed, "{exit:?}");
    }
}

/// An engine has so many instances. A request beyond them is told to come again, a command that it could not be started.
#[tokio::test]
async fn an_engine_without_a_place_says_so() {
    let engine = Engine::new(EngineConfig { max_instances: 2, ..EngineConfig::default() }).unwrap();
    let (http, ends) = (engine.compile(HTTP.as_bytes()), engine.compile(br#"(module (func (export "_start")))"#));
    let (http, ends) = (http.unwrap(), ends.unwrap());
    let spins = engine.compile(br#"(module (func (export "_start") (loop (br 0))))"#).unwrap();
    let (pod, _) = pod_of(&engine, TestNetwork::default(), None);
    let server = pod.start(container(http).0).await.unwrap();
    let address = server.address().unwrap();
    let run = async |program| pod.start(container(program).0).await.unwrap();
    let spinning = [run(spins.clone()).await, run(spins).await];
    until("both have begun", || spinning.iter().all(|it| it.usage().cpu_time > Duration::ZERO)).await;

    assert_eq!(get(address, "/").await.unwrap().0, 503);
    let exit = end(&run(ends.clone()).await).await;
    assert_eq!((exit.code, exit.reason), (Exit::CODE_NOT_STARTED, ExitReason::Error));
    assert!(exit.message.unwrap().starts_with("no room for another instance"));

    kill(&spinning[0]).await;
    assert_eq!(get(address, "/").await.unwrap().0, 200);
    assert_eq!(end(&run(ends).await).await.reason, ExitReason::Completed);
    kill(&spinning[1]).await;
    kill(&server).await;
}

/// One bulk instruction is not interrupted, but it ends, and between two of them there is a tick.
#[tokio::test]
async fn endless_bulk_operations_can_be_stopped() {
    for body in [
        "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x4000000)) (br 0))",
        "(loop (memory.copy (i32.const 1) (i32.const 0) (i32.const 0x3ffffff)) (br 0))",
        "(loop (memory.init $bytes (i32.const 0) (i32.const 0) (i32.const 4)) (br 0))",
        "(loop (drop (memory.grow (i32.const 0))) (br 0))",
        "(loop (drop (table.grow $t (ref.null func) (i32.const 0))) (br 0))",
        "(loop (table.fill $t (i32.const 0) (ref.null func) (i32.const 50000)) (br 0))",
        "(loop (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 49999)) (br 0))",
    ] {
        let grown = format!("(drop (memory.grow (i32.const 1024))) {body}");
        let (config, _) = container(module("(data $bytes \"1234\") (table $t 50000 funcref)", &grown));
        let container = pod().start(config).await.unwrap();
        until("it has used CPU", || container.usage().cpu_time > Duration::from_millis(20)).await;
        let exit = kill(&container).await;
        assert_eq!((exit.code, exit.reason), (137, ExitReason::Killed), "{body}");
        assert_eq!(container.usage().memory_bytes, 0);
    }
}

/// Says how long the largest bulk operation holds a thread: `cargo test --release -p coracle-wasi-host -- --ignored`.
#[tokio::test]
#[ignore = "a measurement of 4 GiB, no test"]
async fn how_long_one_bulk_operation_takes() {
    for (what, bulk) in [
        ("fill, first touch", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 0xffff0000))"),
        (
            "fill twice",
            "(memory.fill (i32.const 0) (i32.const 1) (i32.const 0xffff0000))
             (memory.fill (i32.const 0) (i32.const 2) (i32.const 0xffff0000))",
        ),
        ("copy", "(memory.copy (i32.const 0x80000000) (i32.const 0) (i32.const 0x7fff0000))"),
    ] {
        let grow = "(if (i32.eq (memory.grow (i32.const 65534)) (i32.const -1)) (then unreachable))";
        let (config, _) = container(module("", &format!("{grow} {bulk}")));
        let begun = std::time::Instant::now();
        let exit = end(&pod().start(config).await.unwrap()).await;
        println!("{what}: {:?}, {exit:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn bulk_operations_out_of_bounds_trap() {
    for body in [
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))",
        "(memory.copy (i32.const -1) (i32.const 0) (i32.const 2))",
        "(table.fill $t (i32.const 1) (ref.null func) (i32.const 10))",
        "(i32.store (i32.const -1) (i32.const 1))",
        "(drop (i64.load offset=0xffffffff (i32.const -1)))",
    ] {
        let (config, _) = container(module("(table $t 10 funcref)", body));
        assert_eq!(end(&pod().start(config).await.unwrap()).await.reason, ExitReason::Trap, "{body}");
    }
}

/// A wait for another thread would hold one of the host's: there are no shared memories, so it is refused.
#[tokio::test]
async fn nobody_waits_for_threads_that_there_cannot_be() {
    let waiting = r#"(module (memory 1) (func (export "_start")
        (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))"#;
    assert_eq!(exit_of(waiting, MIB).await, ExitReason::Trap);
    let shared = r#"(module (memory 1 1 shared) (func (export "_start")))"#;
    assert!(crate::support::engine().compile(shared.as_bytes()).is_err());
}
