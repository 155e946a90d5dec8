//! Looks into a Wasm binary: is it valid, module or component, and what does it ask for and offer?

use std::fmt;

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

/// Names kept of imports and exports, each: what is printed and put in a configuration stays bounded.
const MAX_NAMES: usize = 4096;
/// How modules and components begin.
const MAGIC: &[u8] = b"\0asm";

/// Which of the two binary forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WasmKind {
    /// A core module, as WASI preview 1 uses them.
    Module,
    /// A component, as WASI 0.2 and later use them.
    Component,
}

impl fmt::Display for WasmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WasmKind::Module => "module",
            WasmKind::Component => "component",
        })
    }
}

/// What a binary is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasmInfo {
    /// Module or component.
    pub kind: WasmKind,
    /// What it imports: interfaces of a component, modules and fields (`wasi_snapshot_preview1#fd_write`)
    /// of a module.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
}

impl WasmInfo {
    /// The system it was built for, in the words of the CNCF layout's configuration.
    pub fn os(&self) -> &'static str {
        match self.kind {
            WasmKind::Module => "wasip1",
            WasmKind::Component => "wasip2",
        }
    }
}

impl WasmInfo {
    /// The newest WASI that it speaks, by its own versions of the interfaces: `0.3.2`, `preview 1`. None: it speaks none.
    pub fn wasi(&self) -> Option<&str> {
        let versions = self.imports.iter().chain(&self.exports).filter_map(|name| {
            let (interface, version) = name.strip_prefix("wasi:")?.split_once('@')?;
            let is_draft = DRAFTS.iter().any(|package| interface.starts_with(package));
            (!is_draft).then(|| (numbers(version), version))
        });
        let newest = versions.max_by_key(|(numbers, _)| *numbers).map(|(_, version)| version);
        newest.or_else(|| self.imports.iter().any(|name| name.starts_with(PREVIEW_1)).then_some("preview 1"))
    }
}

/// Packages that are in no release of WASI yet: their versions are their own.
const DRAFTS: [&str; 2] = ["config/", "keyvalue/"];

/// The module that functions of WASI preview 1 are imported from.
const PREVIEW_1: &str = "wasi_snapshot_preview1#";

/// The numbers of a version, of which the part before any `-` counts.
fn numbers(version: &str) -> [u32; 3] {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

/// Why bytes are no Wasm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WasmError {
    /// The text is no WAT
    #[error("it is neither a Wasm binary nor WAT text: {0}")]
    Text(String),
    /// The binary is malformed, truncated or breaks a rule of the language
    #[error("it is no valid WebAssembly: {message} (at offset {offset:#x})")]
    Invalid {
        /// What is wrong.
        message: String,
        /// Where, in bytes from the start.
        offset: usize,
    },
}

impl From<wasmparser::BinaryReaderError> for WasmError {
    fn from(error: wasmparser::BinaryReaderError) -> WasmError {
        WasmError::Invalid { message: error.message().to_owned(), offset: error.offset() }
    }
}

/// Turns WAT text into its binary; a binary is returned as it is. Neither is checked further.
pub fn assemble(bytes: Vec<u8>) -> Result<Vec<u8>, WasmError> {
    if bytes.starts_with(MAGIC) {
        return Ok(bytes);
    }
    match wat::parse_bytes(&bytes) {
        Ok(binary) => Ok(binary.into_owned()),
        Err(error) => Err(WasmError::Text(error.to_string())),
    }
}

/// Validates a binary by the language's rules, all proposals allowed (which of them run is the engine's
/// business), and lists what it imports and exports.
pub fn inspect_wasm(bytes: &[u8]) -> Result<WasmInfo, WasmError> {
    if !bytes.starts_with(MAGIC) {
        let message = "it does not begin with the magic number of the binary format".into();
        return Err(WasmError::Invalid { message, offset: 0 });
    }
    Validator::new_with_features(WasmFeatures::all()).validate_all(bytes)?;
    let mut info = WasmInfo { kind: WasmKind::Module, imports: Vec::new(), exports: Vec::new() };
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding, .. } if depth == 0 => {
                info.kind = match encoding {
                    Encoding::Module => WasmKind::Module,
                    Encoding::Component => WasmKind::Component,
                };
                depth = 1;
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            // Deeper ones are between the component's own parts.
            payload if depth == 1 => names(payload, &mut info)?,
            _ => {}
        }
    }
    info.imports.truncate(MAX_NAMES);
    info.exports.truncate(MAX_NAMES);
    Ok(info)
}

fn names(payload: Payload<'_>, info: &mut WasmInfo) -> Result<(), WasmError> {
    match payload {
        Payload::ImportSection(reader) => {
            for import in reader.into_imports() {
                let import = import?;
                info.imports.push(format!("{}#{}", import.module, import.name));
            }
        }
        Payload::ExportSection(reader) => {
            for export in reader {
                info.exports.push(export?.name.to_owned());
            }
        }
        Payload::ComponentImportSection(reader) => {
            for import in reader {
                info.imports.push(import?.name.name.to_owned());
            }
        }
        Payload::ComponentExportSection(reader) => {
            for export in reader {
                info.exports.push(export?.name.name.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect(text: &str) -> Result<WasmInfo, WasmError> {
        inspect_wasm(&assemble(text.as_bytes().to_vec())?)
    }

    #[test]
    fn modules_and_components_are_told_apart() {
        let module = inspect(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
                (func (export "_start")))"#,
        )
        .unwrap();
        assert_eq!((module.kind, module.os()), (WasmKind::Module, "wasip1"));
        assert_eq!(module.imports, ["wasi_snapshot_preview1#proc_exit"]);
        assert_eq!(module.exports, ["_start"]);
        assert_eq!(module.wasi(), Some("preview 1"));

        let component = inspect(
            r#"(component
                (import "wasi:cli/environment@0.2.0" (instance))
                (core module (import "inner" "f" (func)) (func (export "inner")))
                (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#,
        )
        .unwrap();
        assert_eq!((component.kind, component.os()), (WasmKind::Component, "wasip2"));
        assert_eq!(component.imports, ["wasi:cli/environment@0.2.0"]);
        assert_eq!(component.exports, ["wasi:cli/run@0.2.0"]);
        assert_eq!(component.wasi(), Some("0.2.0"));
    }

    #[test]
    fn the_newest_wasi_counts() {
        let mixed = inspect(
            r#"(component
                (import "wasi:cli/environment@0.2.12" (instance))
                (import "wasi:cli/stdin@0.3.0" (instance))
                (import "acme:cli/run@7.0.0" (instance)))"#,
        );
        assert_eq!(mixed.unwrap().wasi(), Some("0.3.0"));
        let draft = inspect(
            r#"(component
                (import "wasi:cli/environment@0.2.0" (instance))
                (import "wasi:keyvalue/store@0.2.0-draft" (instance)))"#,
        );
        assert_eq!(draft.unwrap().wasi(), Some("0.2.0"), "a draft's version is its own");
        assert_eq!(inspect("(component)").unwrap().wasi(), None);
        assert_eq!(numbers("0.3.0-rc-2026-01-06"), [0, 3, 0]);
    }

    #[test]
    fn truncated_binaries_and_other_texts_are_refused() {
        let whole = assemble(b"(module (func (export \"f\")))".to_vec()).unwrap();
        let error = inspect_wasm(&whole[..whole.len() - 3]).unwrap_err();
        assert!(matches!(error, WasmError::Invalid { .. }), "{error}");
        assert!(matches!(inspect("hello"), Err(WasmError::Text(_))));
        assert!(matches!(inspect("(module (func (result i32)))"), Err(WasmError::Invalid { .. })));
    }
}
