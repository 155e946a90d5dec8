//! Waits, turns and randomness in masses, by WASI 0.3: there a call that waits is no resource, and many wait at once.

use std::time::Duration;

use coracle_wasi_host::{Exit, ExitReason, Program, limits};

use crate::{
    end, kill,
    support::{container, pod, program, until},
};

const WAITS: &str = include_str!("../guests/waits-p3.wat");
const HOUR: &str = "(i64.const 3600000000000)";

fn guest(run: &str) -> Program {
    guest_with(run, "", "(i32.const 0)")
}

/// One that is called back, and does `again` then.
fn called_back(run: &str, again: &str) -> Program {
    guest_with(run, r#"async (callback (core func $main "callback"))"#, again)
}

fn guest_with(run: &str, how: &str, again: &str) -> Program {
    // A comment of the guest has marks too.
    let line = |text: &str| text.replace('\n', " ");
    program(&WAITS.replace("{{RUN}}", &line(run)).replace("{{AGAIN}}", &line(again)).replace("{{HOW}}", how))
}

async fn exit_of(run: &str) -> Exit {
    end(&pod().start(container(guest(run)).0).await.unwrap()).await
}

/// Each wait is a future of the host, and a handle: those are bounded. A program that ends does not wait for them.
#[tokio::test]
async fn thousands_of_waits_at_the_same_time_are_bounded() {
    let waits = |count: usize| {
        format!(
            "(loop (drop (call $pause {HOUR})) (br_if 0 (call $more (i32.const {count})))) (call $exit (i32.const 7)) (i32.const 0)"
        )
    };
    let exit = exit_of(&waits(limits::P3_HANDLES_PER_INSTANCE - 100)).await;
    assert_eq!((exit.code, exit.reason), (7, ExitReason::Error), "{exit:?}");
    assert_eq!(exit_of(&waits(limits::P3_HANDLES_PER_INSTANCE + 1)).await.reason, ExitReason::Trap);
}

/// So it is with what was made to hear of them.
#[tokio::test]
async fn sets_and_streams_are_bounded_too() {
    for make in ["(drop (call $new-set))", "(drop (call $new-bytes))"] {
        let run = format!("(loop {make} (br_if 0 (call $more (i32.const 1000000)))) (i32.const 0)");
        assert_eq!(exit_of(&run).await.reason, ExitReason::Trap, "{make}");
    }
}

/// All that were begun come to an end, and what was waited for makes room again.
#[tokio::test]
async fn many_short_waits_come_to_their_end() {
    let run = "(global.set $set (call $new-set))
        (loop
            (call $join (i32.shr_u (call $pause (i64.const 1000000)) (i32.const 4)) (global.get $set))
            (br_if 0 (call $more (i32.const 5000))))
        (loop
            (call $over (call $next (global.get $set)))
            (br_if 0 (call $more (i32.const 10000))))
        (loop
            (local.set $at (i32.shr_u (call $pause (i64.const 1)) (i32.const 4)))
            (if (local.get $at) (then
                (call $join (local.get $at) (global.get $set))
                (call $over (call $next (global.get $set)))))
            (br_if 0 (call $more (i32.const 30000))))
        (i32.const 0)";
    assert_eq!(exit_of(run).await.code, 0);
}

/// Nothing is left of them when the program is stopped.
#[tokio::test]
async fn thousands_of_waits_end_with_a_stop() {
    for last in [HOUR, "(i64.const 0xffffffffffffffff)"] {
        let run = format!(
            "(loop (drop (call $pause {last})) (br_if 0 (call $more (i32.const 9000)))) (call $wait {last}) (i32.const 0)"
        );
        let container = pod().start(container(guest(&run)).0).await.unwrap();
        until("it runs", || container.usage().memory_bytes > 0).await;
        assert_eq!(kill(&container).await.reason, ExitReason::Killed);
        assert_eq!(container.usage().memory_bytes, 0);
    }
}

/// Waits that are over at once, turns that are given to nobody, events of one's own making: loops like others, which end at
/// a tick and count as CPU time.
#[tokio::test]
async fn loops_that_always_have_something_to_do_can_be_stopped() {
    // Both ends of a stream are its own: what it writes it is told to have read, for ever.
    let exchange = "(drop (call $read (i32.wrap_i64 (global.get $ends)) (i32.const 512) (i32.const 1)))
        (drop (call $write (i32.wrap_i64 (i64.shr_u (global.get $ends) (i64.const 32))) (i32.const 513) (i32.const 1)))
        (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4)))";
    let talking = format!(
        "(global.set $ends (call $new-bytes)) (global.set $set (call $new-set))
        (call $join (i32.wrap_i64 (global.get $ends)) (global.get $set)) {exchange}"
    );
    for (what, program) in [
        ("waits of no time", guest("(loop (call $wait (i64.const 0)) (br 0)) (i32.const 0)")),
        ("waits for what has been", guest("(loop (call $until (i64.const 0)) (br 0)) (i32.const 0)")),
        (
            "waits of no time in the background",
            guest(
                "(loop (if (i32.ne (call $pause (i64.const 0)) (i32.const 2)) (then unreachable)) (br 0)) (i32.const 0)",
            ),
        ),
        ("turns for others", guest("(loop (drop (call $yield)) (br 0)) (i32.const 0)")),
        ("turns for others, called back", called_back("(i32.const 1)", "(i32.const 1)")),
        ("talking to itself", called_back(&talking, exchange)),
    ] {
        let (mut config, _) = container(program);
        config.cpu_limit_millis = Some(200);
        let container = pod().start(config).await.unwrap();
        until(what, || container.usage().cpu_time > Duration::from_millis(40)).await;
        assert_eq!(kill(&container).await.reason, ExitReason::Killed, "{what}");
        assert_eq!(container.usage().memory_bytes, 0, "{what}");
    }
}

/// The result of a program is its end, whatever it would go on with: turns, or waits.
#[tokio::test]
async fn what_goes_on_after_the_result_ends_with_it() {
    for go_on in ["(i32.const 1)", "(i32.or (i32.const 2) (i32.shl (call $new-set) (i32.const 4)))"] {
        let run = format!("(drop (call $pause {HOUR})) (call $return (i32.const 0)) {go_on}");
        let exit = end(&pod().start(container(called_back(&run, "(i32.const 1)")).0).await.unwrap()).await;
        assert_eq!((exit.code, exit.reason), (0, ExitReason::Completed), "{go_on}: {exit:?}");
    }
}

/// A guest is given no more than a portion, whatever it asks for: in 0.3 it says how much it takes at most.
#[tokio::test]
async fn randomness_is_given_in_portions() {
    let most = limits::RANDOM_LIMIT_BYTES;
    for function in ["$random", "$insecure"] {
        for (asked, given) in [(0, 0), (16, 16), (most, most), (most + 1, most), (10 << 30, most), (u64::MAX, most)] {
            let run = format!("(i32.ne (call {function} (i64.const {asked})) (i32.const {given}))");
            let exit = exit_of(&run).await;
            assert_eq!((exit.code, exit.reason), (0, ExitReason::Completed), "{function} {asked}: {exit:?}");
        }
    }
}
