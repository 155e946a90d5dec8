//! What a component of WASI 0.3 is, and where it is none.

use coracle_wasi_host::{CacheError, CompileError, Engine, EngineConfig, ProgramKind};

use super::{HELLO, HTTP, TOOLBOX, command, hello, letters, toolbox};
use crate::support::engine;

#[test]
fn programs_are_what_they_export() {
    assert_eq!(hello().kind(), ProgramKind::HttpP3);
    assert_eq!(letters().kind(), ProgramKind::HttpP3);
    assert_eq!(toolbox().kind(), ProgramKind::CommandP3);
    assert!(hello().kind().serves() && hello().kind().is_p3());
    assert!(!toolbox().kind().serves() && toolbox().kind().is_p3());
}

#[test]
fn they_come_back_from_the_cache_as_they_were() {
    for program in [letters(), command("", "(i32.const 0)")] {
        let bytes = engine().serialize(&program).unwrap();
        assert_eq!(engine().deserialize(&bytes).unwrap().kind(), program.kind());
    }
}

#[test]
fn a_node_without_0_3_says_so() {
    let config = EngineConfig { max_instances: 10, wasi_p3: false, cache_key: [7; 32], ..EngineConfig::default() };
    let without = Engine::new(config).unwrap();
    for (wasm, names) in [
        (HTTP.as_bytes(), "wasi:clocks/monotonic-clock@0.3.0, wasi:http/types@0.3.0, wasi:http/handler@0.3.0"),
        (HELLO, "wasi:http/handler@0.3"),
        (TOOLBOX, "wasi:cli/run@0.3"),
    ] {
        let Err(error) = without.compile(wasm) else { panic!("compiled") };
        assert!(matches!(error, CompileError::MissingImports(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("the component uses wasi:") && text.contains(names), "{text}");
        assert!(text.ends_with(": WASI 0.3 is switched off on this node"), "{text}");
    }
    let compiled = engine().serialize(&letters()).unwrap();
    assert!(matches!(without.deserialize(&compiled), Err(CacheError::Incompatible)), "nor does a cache bring it in");
    assert!(without.compile(crate::support::HTTP.as_bytes()).is_ok(), "0.2 is as it was");
}

#[test]
fn release_candidates_are_told_what_is_supported() {
    let exporting = r#"(component
        (core module $m (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.3.0-rc-2026-01-06" (instance $run)))"#;
    let importing = r#"(component
        (import "wasi:random/random@0.3.0-rc-2026-01-06" (instance (export "get-random-u64" (func (result u64)))))
        (core module $m (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    for text in [exporting, importing] {
        let Err(error) = engine().compile(text.as_bytes()) else { panic!("compiled") };
        let text = error.to_string();
        let hint = ". Of WASI 0.3 this host supports the release, 0.3.0, and not 0.3.0-rc-2026-01-06: \
                    build the program with bindings of the release";
        assert!(text.ends_with(hint), "{text}");
    }
}
