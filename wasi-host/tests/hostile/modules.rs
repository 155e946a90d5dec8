//! Files that are no programs, or programs made to break or to bind their compiler.

use std::time::Instant;

use coracle_wasi_host::{CompileError, ExitReason, Program, limits};

use crate::{
    end,
    support::{HTTP, container, engine, pod},
};

/// A number in LEB128.
fn leb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn length(bytes: &[u8]) -> Vec<u8> {
    leb(bytes.len() as u64)
}

/// A section of a module.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &length(content), content].concat()
}

/// A module of these sections.
fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [&b"\0asm\x01\0\0\0"[..], &sections.concat()].concat()
}

/// A module whose only type is `[] -> []` and whose functions all have it; the first one is `_start`.
fn functions(bodies: &[Vec<u8>]) -> Vec<u8> {
    let count = leb(bodies.len() as u64);
    let code: Vec<u8> = bodies.iter().flat_map(|body| [length(body), body.clone()].concat()).collect();
    module(&[
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[count.clone(), vec![0; bodies.len()]].concat()),
        section(7, b"\x01\x06_start\x00\x00"),
        section(10, &[count, code].concat()),
    ])
}

/// A body of these instructions with `locals` locals of type i64.
fn body(locals: u64, instructions: &[u8]) -> Vec<u8> {
    let declared = if locals == 0 { vec![0] } else { [&[1][..], &leb(locals), &[0x7e]].concat() };
    [&declared, instructions, &[0x0b]].concat()
}

fn compile(bytes: &[u8]) -> Result<Program, CompileError> {
    engine().compile(bytes)
}

fn refusal(bytes: &[u8]) -> CompileError {
    match compile(bytes) {
        Ok(program) => panic!("compiled as {:?}", program.kind()),
        Err(error) => error,
    }
}

/// Compiles a program that is allowed but made to be slow.
fn compiles(what: &str, bytes: &[u8]) {
    let begun = Instant::now();
    let result = compile(bytes).map(drop);
    println!("{what}: {} KiB, {:?}", bytes.len() >> 10, begun.elapsed());
    result.unwrap();
}

#[test]
fn the_builder_makes_modules() {
    compile(&functions(&[body(0, &[])])).unwrap();
    compile(&functions(&[body(3, &[0x01])])).unwrap();
}

#[test]
fn counts_beyond_the_limits_are_refused() {
    let nested = |count: usize| [[0x02, 0x40].repeat(count), vec![0x0b; count]].concat();
    for (what, bytes) in [
        ("locals", functions(&[body(50_001, &[])])),
        ("locals that overflow", functions(&[body(u64::from(u32::MAX), &[])])),
        ("functions that are not there", module(&[section(3, &leb(4_000_000_000))])),
        ("types that are not there", module(&[section(1, &leb(0xffff_ffff))])),
        ("a name of a length that is not there", module(&[section(7, &[1, 0xff, 0xff, 0xff, 0x7f])])),
        ("a section longer than the file", [&module(&[])[..], &[10, 0xff, 0xff, 0xff, 0x7f]].concat()),
        ("blocks that never end", functions(&[body(0, &[0x02, 0x40].repeat(1_000))])),
        ("nesting", functions(&[body(0, &nested(limits::BLOCK_NESTING + 1))])),
        ("blocks", functions(&[body(0, &[0x02, 0x40, 0x0b].repeat(60_000))])),
        ("blocks and locals", functions(&[body(40_000, &[0x02, 0x40, 0x0b].repeat(1_000))])),
        ("work in all functions", functions(&vec![body(10_000, &[0x02, 0x40, 0x0b].repeat(3_000)); 9])),
        ("one function", functions(&[body(0, &vec![0x01; limits::FUNCTION_LIMIT_BYTES + 1])])),
        ("functions", functions(&vec![body(0, &[]); limits::FUNCTIONS_PER_PROGRAM + 1])),
        ("memory", module(&[section(5, &[1, 0, 0x81, 0x80, 0x04])])),
        ("a name that is no text", module(&[section(7, b"\x01\x02\xff\xfe\x00\x00")])),
    ] {
        let error = refusal(&bytes);
        let fits = matches!(error, CompileError::Invalid(_) | CompileError::TooLarge(_));
        assert!(fits, "{what}: {error:?}");
        assert!(error.to_string().len() < 1_000, "{what}");
    }
}

#[test]
fn a_file_too_large_is_refused_unread() {
    let error = refusal(&vec![b'('; limits::PROGRAM_LIMIT_BYTES + 1]);
    assert!(matches!(error, CompileError::TooLarge(_)), "{error}");
}

#[test]
fn text_that_nests_without_end_is_an_error() {
    for text in ["(".repeat(200_000), format!("(module {}", "(func (block ".repeat(50_000)), "(;".repeat(200_000)] {
        assert!(matches!(refusal(text.as_bytes()), CompileError::Invalid(_)));
    }
}

#[test]
fn errors_do_not_repeat_what_is_in_the_file() {
    let name = "x".repeat(90_000);
    let text = format!(r#"(module (import "{name}" "{name}" (func)) (func (export "_start")))"#);
    let error = refusal(text.as_bytes()).to_string();
    assert!(error.len() < 4_000, "an error of {} bytes", error.len());
    let exports: String = (0..1_000).map(|n| format!(r#"(func (export "{name}{n}"))"#)).collect();
    let error = refusal(format!("(module {exports})").as_bytes()).to_string();
    assert!(error.len() < 8_000, "an error of {} bytes", error.len());
}

/// Functions that are slow to compile for their size, as large as the limits allow.
fn slow_functions(bytes: usize, blocks: usize) -> Vec<(&'static str, Vec<u8>)> {
    let nested = |count: usize, inner: &[u8]| [[0x02, 0x40].repeat(count), inner.to_vec(), vec![0x0b; count]].concat();
    let depth = blocks.min(limits::BLOCK_NESTING) - 1;
    // block, local.get 0, i32.wrap_i64, br_if 0, end.
    let branches = [0x02, 0x40, 0x20, 0x00, 0xa7, 0x0d, 0x00, 0x0b].repeat(blocks - 1);
    // loop, local.get a, local.set b, end: every local may have any other one's value.
    let loops: Vec<u8> = (0..blocks as u64 - 1)
        .flat_map(|n| [&[0x03, 0x40, 0x20][..], &leb(n % 1_000 + 128), &[0x21], &leb(n % 997 + 128), &[0x0b]].concat())
        .collect();
    let adds = [0x20, 0x00, 0x42, 0x01, 0x7c, 0x21, 0x00].repeat(bytes / 7 - 100);
    // A table of jumps to every one of the blocks around it.
    let table = [&[0x41, 0x00, 0x0e][..], &leb(60_000), &leb(depth as u64 - 1).repeat(60_000), &[0x00]].concat();
    vec![
        ("nested blocks", body(0, &nested(depth, &[]))),
        ("branches and locals", body(1_000, &branches)),
        ("loops and locals", body(2_000, &loops)),
        ("one long block", body(1, &adds)),
        ("a large jump table", body(0, &nested(depth, &table))),
    ]
}

/// The worst that the limits allow, as far as we know it, comes to an end.
#[test]
fn what_the_limits_allow_is_compiled() {
    for (what, function) in slow_functions(limits::FUNCTION_LIMIT_BYTES / 4, 1_000) {
        compiles(what, &functions(&[function]));
    }
    compiles("many small functions", &functions(&vec![body(0, &[0x01]); 10_000]));
}

/// Says how long the slowest functions take at which size: `cargo test --release -p coracle-wasi-host -- --ignored`.
#[test]
#[ignore = "a measurement that takes minutes, no test"]
fn how_long_the_slowest_programs_take() {
    for (bytes, blocks) in [(256 << 10, 4_000), (512 << 10, 8_000), (1 << 20, 15_000)] {
        for (what, function) in slow_functions(bytes, blocks) {
            compiles(what, &functions(&[function]));
        }
    }
}

/// Random damage to real programs: whatever it is then, it does not harm the host.
#[test]
fn damaged_files_are_errors_or_programs() {
    let whole = wat::parse_str(HTTP).unwrap();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..400 {
        let mut damaged = whole.clone();
        for _ in 0..=random(4) {
            let at = random(damaged.len());
            match random(3) {
                0 => damaged[at] = random(256) as u8,
                1 => damaged.truncate(at.max(8)),
                _ => drop(damaged.splice(at..at, vec![0xff; random(6)])),
            }
        }
        // What counts is that it comes back.
        drop(compile(&damaged));
    }
}

#[test]
fn components_that_nest_or_refer_to_nothing_are_errors() {
    let nested = format!("{}{}", "(component ".repeat(500), ")".repeat(500));
    assert!(compile(nested.as_bytes()).is_err());
    let mut types = String::from("(type $t0 (tuple u8 u8 u8 u8 u8 u8 u8 u8))");
    for n in 1..30 {
        types += &format!("(type $t{n} (tuple {}))", format!("$t{} ", n - 1).repeat(8));
    }
    // A type of 8 to the power of 30: validation counts it and refuses.
    assert!(matches!(refusal(format!("(component {types})").as_bytes()), CompileError::Invalid(_)));
    let instances: String = (0..limits::CORE_INSTANCES_PER_COMPONENT + 1)
        .map(|n| format!("(core instance $i{n} (instantiate $m))"))
        .collect();
    let many = format!(
        r#"(component (core module $m (func (export "run") (result i32) (i32.const 0))) {instances}
        (func $run (result (result)) (canon lift (core func $i0 "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#
    );
    assert!(compile(many.as_bytes()).is_err());
}

#[tokio::test]
async fn data_segments_and_names_of_megabytes_cost_what_they_are() {
    let data = "\\00".repeat(2 << 20);
    let text = format!(r#"(module (memory 64) (data (i32.const 0) "{data}") (func (export "_start") unreachable))"#);
    let exit = end(&pod().start(container(compile(text.as_bytes()).unwrap()).0).await.unwrap()).await;
    assert_eq!(exit.reason, ExitReason::Trap);
    // A data segment beyond the memory is a trap of instantiation.
    let outside = r#"(module (memory 1) (data (i32.const 65535) "ab") (func (export "_start")))"#;
    let exit = end(&pod().start(container(compile(outside.as_bytes()).unwrap()).0).await.unwrap()).await;
    assert_eq!(exit.reason, ExitReason::Trap);
}

#[tokio::test]
async fn a_backtrace_of_long_names_is_cut() {
    let name = "n".repeat(90_000);
    let text = format!(r#"(module (func ${name} (call ${name})) (func (export "_start") (call ${name})))"#);
    let exit = end(&pod().start(container(compile(text.as_bytes()).unwrap()).0).await.unwrap()).await;
    assert_eq!(exit.reason, ExitReason::Trap);
    let message = exit.message.unwrap();
    assert!(message.len() <= limits::TRAP_MESSAGE_LIMIT_BYTES + 8, "{}", message.len());
}

/// Debugging sections are read when a program traps; these are not what they say.
#[tokio::test]
async fn false_debug_information_is_borne() {
    let wasm = wat::parse_str(r#"(module (func $f unreachable) (func (export "_start") (call $f)))"#).unwrap();
    for filler in [0x00_u8, 0x01, 0x7f, 0x80, 0xff] {
        let mut bytes = wasm.clone();
        for name in [".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_ranges", ".debug_aranges"] {
            let content = [&leb(name.len() as u64), name.as_bytes(), &vec![filler; 100_000]].concat();
            bytes.extend(section(0, &content));
        }
        let exit = end(&pod().start(container(compile(&bytes).unwrap()).0).await.unwrap()).await;
        assert_eq!(exit.reason, ExitReason::Trap, "{filler}");
    }
}
