//! What a file is, and why it is none.

use coracle_wasi_host::{CompileError, ProgramKind};

use crate::support::{COMMAND, engine, http_program, module, program};

fn error(bytes: &[u8]) -> CompileError {
    match engine().compile(bytes) {
        Ok(program) => panic!("compiled as {:?}", program.kind()),
        Err(error) => error,
    }
}

#[test]
fn programs_are_what_they_export() {
    assert_eq!(http_program().kind(), ProgramKind::Http);
    assert_eq!(program(COMMAND).kind(), ProgramKind::Command);
    assert_eq!(module("", "").kind(), ProgramKind::CoreCommand);
}

#[test]
fn a_library_is_no_program() {
    let text = r#"(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;
    assert_eq!(
        error(text.as_bytes()).to_string(),
        "the module cannot be run: it exports add, but must export the function _start (WASI preview 1)"
    );
    assert_eq!(
        error(b"(component)").to_string(),
        "the component cannot be run: it exports nothing, but must export \
         wasi:http/incoming-handler@0.2.x or wasi:http/handler@0.3.x (a server) \
         or wasi:cli/run@0.2.x or @0.3.x (a command)"
    );
}

#[test]
fn missing_imports_are_named_all_together() {
    let text = r#"(module (import "env" "magic" (func)) (import "acme" "wand" (func)) (func (export "_start")))"#;
    let error = error(text.as_bytes());
    assert!(matches!(error, CompileError::MissingImports(_)));
    assert_eq!(
        error.to_string(),
        "the module imports env function 'magic', acme function 'wand', which this host does not provide"
    );
}

/// A command that imports an instance, as component text has it.
fn importing(import: &str) -> String {
    format!(
        r#"(component
        (import {import})
        (core module $m (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.3" (instance $run)))"#
    )
}

#[test]
fn missing_imports_of_components_are_named_by_interface() {
    let text = importing(r#""foo:bar/baz@1.0.0" (instance (export "x" (func)) (export "y" (func)))"#);
    assert_eq!(
        error(text.as_bytes()).to_string(),
        "the component imports foo:bar/baz@1.0.0 function 'x', foo:bar/baz@1.0.0 function 'y', \
         which this host does not provide"
    );
}

#[test]
fn another_draft_of_an_interface_is_told_of() {
    let text = importing(r#""wasi:keyvalue/store@0.2.0-draft2" (instance (export "open" (func)))"#);
    assert_eq!(
        error(text.as_bytes()).to_string(),
        "the component imports wasi:keyvalue/store@0.2.0-draft2 function 'open', which this host does not provide. \
         Of wasi:keyvalue this host supports 0.2.0-draft, and not 0.2.0-draft2"
    );
}

#[test]
fn a_module_that_wants_sockets_is_told_what_to_do() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32)))
        (func (export "_start")))"#;
    let message = error(text.as_bytes()).to_string();
    assert!(message.contains("wasi_snapshot_preview1 function 'sock_open'"), "{message}");
    assert!(message.contains("WASI preview 1 has no way to open a socket"), "{message}");
}

#[test]
fn broken_files_say_where() {
    let whole = wat::parse_str(r#"(module (func (export "_start") (nop)))"#).unwrap();
    let truncated = error(&whole[..whole.len() - 3]);
    assert!(matches!(truncated, CompileError::Invalid(_)), "{truncated:?}");
    assert!(truncated.to_string().contains("at offset 0x"), "{truncated}");
    let mut corrupt = whole;
    corrupt[8] = 0x7f;
    assert!(error(&corrupt).to_string().contains("at offset 0x"));
    for (bytes, says) in [
        (&b""[..], "the file is empty"),
        (b"\x7fELF\x02\x01", "magic number"),
        (b"hello", "magic number"),
        (b"(module (func", "expected"),
    ] {
        let error = error(bytes).to_string();
        assert!(error.starts_with("not a valid WebAssembly module or component: "), "{error}");
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_type_error_is_the_files_fault() {
    let text = br#"(module (func (export "_start") (i32.add)))"#;
    assert!(matches!(error(text), CompileError::Invalid(_)));
}
