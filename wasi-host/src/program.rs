//! A compiled, linked program, and how a file becomes one.

use std::borrow::Cow;

use wasmparser::Parser;
use wasmtime::{InstancePre, Module, component::Component};
use wasmtime_wasi::{p2::bindings::CommandPre, p3::bindings::CommandPre as CommandP3Pre};
use wasmtime_wasi_http::{p2::bindings::ProxyPre, p3::bindings::ServicePre};

use crate::{
    Engine,
    engine::Side,
    imports, limits,
    sandbox::{CoreSandbox, Sandbox},
    vetting,
};

/// Why a file cannot become a program.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// not a valid WebAssembly module or component
    #[error("not a valid WebAssembly module or component: {0}")]
    Invalid(String),
    /// the program offers no way to run it
    #[error("{0}")]
    NotRunnable(String),
    /// the program imports what this host does not provide
    #[error("{0}")]
    MissingImports(String),
    /// the program exceeds a limit of this host
    #[error("the program exceeds a limit of this host: {0}")]
    TooLarge(String),
    /// the engine failed to compile the program
    #[error("the engine failed to compile the program: {0}")]
    Engine(String),
}

/// What a program is, decided by looking at what it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgramKind {
    /// A component that exports `wasi:http/incoming-handler@0.2.x`: a server; one instance for each request.
    Http,
    /// A component that exports `wasi:http/handler@0.3.x`: a server of the same kind.
    HttpP3,
    /// A component that exports `wasi:cli/run@0.2.x`: a command; one instance, which runs to its exit code.
    Command,
    /// A component that exports `wasi:cli/run@0.3.x`: a command of the same kind.
    CommandP3,
    /// A core module that exports `_start` (WASI preview 1): a command.
    CoreCommand,
}

impl ProgramKind {
    /// Whether it serves HTTP; what does not is a command.
    #[must_use]
    pub fn serves(self) -> bool {
        matches!(self, ProgramKind::Http | ProgramKind::HttpP3)
    }

    /// Whether it is called by WASI 0.3.
    #[must_use]
    pub fn is_p3(self) -> bool {
        matches!(self, ProgramKind::HttpP3 | ProgramKind::CommandP3)
    }
}

/// A program, compiled and linked: starting it costs microseconds. Cloning it copies a few pointers.
#[derive(Clone)]
pub struct Program {
    linked: Linked,
    /// It imports something of `wasi:filesystem`, or may.
    opens_files: bool,
}

/// A program joined with the host functions it imports, ready to be instantiated.
#[derive(Clone)]
pub(crate) enum Linked {
    Http(ProxyPre<Sandbox>),
    HttpP3(ServicePre<Sandbox>),
    Command(CommandPre<Sandbox>),
    CommandP3(CommandP3Pre<Sandbox>),
    CoreCommand(InstancePre<CoreSandbox>),
}

/// What the engine compiled, before it is linked.
pub(crate) enum Artifact {
    Component(Component),
    Module(Module),
}

impl Program {
    /// What the program is.
    #[must_use]
    pub fn kind(&self) -> ProgramKind {
        match &self.linked {
            Linked::Http(_) => ProgramKind::Http,
            Linked::HttpP3(_) => ProgramKind::HttpP3,
            Linked::Command(_) => ProgramKind::Command,
            Linked::CommandP3(_) => ProgramKind::CommandP3,
            Linked::CoreCommand(_) => ProgramKind::CoreCommand,
        }
    }

    /// The program as a command: itself, or what a server exports besides. None: it can only serve.
    pub(crate) fn as_command(&self) -> Option<Program> {
        let pre = match &self.linked {
            Linked::Http(pre) => pre.instance_pre(),
            Linked::HttpP3(pre) => pre.instance_pre(),
            Linked::Command(_) | Linked::CommandP3(_) | Linked::CoreCommand(_) => return Some(self.clone()),
        };
        let p3 = CommandP3Pre::new(pre.clone()).map(Linked::CommandP3);
        let linked = p3.or_else(|_| CommandPre::new(pre.clone()).map(Linked::Command)).ok()?;
        Some(Program { linked, opens_files: self.opens_files })
    }

    /// Whether directories mean anything to it. Those that a server can't ask for need not be opened at each request.
    pub(crate) fn opens_files(&self) -> bool {
        self.opens_files
    }

    pub(crate) fn linked(&self) -> &Linked {
        &self.linked
    }

    pub(crate) fn artifact(&self) -> Artifact {
        match &self.linked {
            Linked::Http(pre) => Artifact::Component(pre.instance_pre().component().clone()),
            Linked::HttpP3(pre) => Artifact::Component(pre.instance_pre().component().clone()),
            Linked::Command(pre) => Artifact::Component(pre.instance_pre().component().clone()),
            Linked::CommandP3(pre) => Artifact::Component(pre.instance_pre().component().clone()),
            Linked::CoreCommand(pre) => Artifact::Module(pre.module().clone()),
        }
    }

    /// Linear memory an instance has from its first instruction on, in bytes. None: not known before it runs.
    pub(crate) fn initial_memory_bytes(&self) -> Option<u64> {
        let needs = match self.artifact() {
            Artifact::Component(component) => component.resources_required()?,
            Artifact::Module(module) => module.resources_required(),
        };
        let pages = u64::from(needs.num_memories).saturating_mul(needs.max_initial_memory_size.unwrap_or(0));
        Some(pages.saturating_mul(PAGE_BYTES))
    }

    /// The engine that compiled it.
    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        match &self.linked {
            Linked::Http(pre) => pre.engine(),
            Linked::HttpP3(pre) => pre.engine(),
            Linked::Command(pre) => pre.engine(),
            Linked::CommandP3(pre) => pre.engine(),
            Linked::CoreCommand(pre) => pre.module().engine(),
        }
    }

    pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Program, CompileError> {
        let wasm = vetting::vet(to_binary(bytes)?)?;
        let (side, artifact) = if Parser::is_component(&wasm) {
            let side = side_for(engine, &wasm)?;
            (side, Component::new(&side.wasm, &wasm).map(Artifact::Component))
        } else {
            let side = engine.before3();
            (side, Module::new(&side.wasm, &wasm).map(Artifact::Module))
        };
        let artifact = artifact.map_err(|error| why_not(&wasm, &error))?;
        Program::link(engine, side, artifact)
    }

    /// Decides what the artifact is and joins it with the host.
    pub(crate) fn link(engine: &Engine, side: &Side, artifact: Artifact) -> Result<Program, CompileError> {
        let (linked, opens_files) = match artifact {
            Artifact::Component(component) => {
                let ty = component.component_type();
                let opens_files = ty.imports(&side.wasm).any(|(name, _)| name.starts_with(FILES_IMPORT));
                (link_component(side, &component)?, opens_files)
            }
            Artifact::Module(module) => (link_module(engine, &module)?, imports::finds_files(&module)),
        };
        Ok(Program { linked, opens_files })
    }
}

/// The side that a component (in binary form) is compiled by.
fn side_for<'a>(engine: &'a Engine, wasm: &[u8]) -> Result<&'a Side, CompileError> {
    let used = imports::used_of_p3(wasm);
    if used.is_empty() {
        return Ok(engine.before3());
    }
    if !engine.has_wasi_p3() {
        return Err(CompileError::MissingImports(format!(
            "the component uses {}: WASI 0.3 is switched off on this node",
            imports::listed(&used)
        )));
    }
    engine.p3().map_err(|error| CompileError::Engine(error.to_string()))
}

/// The binary form of `bytes`, which may be text.
fn to_binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    if bytes.len() > limits::PROGRAM_LIMIT_BYTES {
        return Err(CompileError::TooLarge(format!(
            "the file has {} bytes, at most {} are accepted",
            bytes.len(),
            limits::PROGRAM_LIMIT_BYTES
        )));
    }
    if bytes.starts_with(b"\0asm") {
        return Ok(Cow::Borrowed(bytes));
    }
    let invalid = |message: &str| Err(CompileError::Invalid(message.to_owned()));
    if bytes.is_empty() {
        return invalid("the file is empty");
    }
    match bytes.trim_ascii_start().first() {
        Some(b'(' | b';') => wat::parse_bytes(bytes).map_err(|error| CompileError::Invalid(error.to_string())),
        _ => invalid(
            "the file begins neither with the magic number of the binary format (offset 0x0) nor as its text format does",
        ),
    }
}

/// Whether the file was wrong, and where, or the engine could not do it.
fn why_not(wasm: &[u8], error: &wasmtime::Error) -> CompileError {
    match wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(wasm) {
        Err(invalid) => CompileError::Invalid(invalid.to_string()),
        Ok(_) => CompileError::Engine(format!("{error:#}")),
    }
}

/// A page of linear memory (WebAssembly core specification, 4.2.8).
const PAGE_BYTES: u64 = 64 * 1024;

const HTTP_EXPORT: &str = "wasi:http/incoming-handler";
const HTTP_P3_EXPORT: &str = "wasi:http/handler";
const RUN_EXPORT: &str = "wasi:cli/run";
const FILES_IMPORT: &str = "wasi:filesystem/";

/// What a component is by its exports: a server before a command, and what is called by WASI 0.3 before what is by 0.2.
fn kind_of(exports: &[&str]) -> Option<ProgramKind> {
    let p2 = |interface: &str| exports.iter().any(|name| imports::is_wasi_02(name, interface));
    let p3 = |interface: &str| exports.iter().any(|name| imports::is_wasi_03(name, interface));
    [
        (p3(HTTP_P3_EXPORT), ProgramKind::HttpP3),
        (p2(HTTP_EXPORT), ProgramKind::Http),
        (p3(RUN_EXPORT), ProgramKind::CommandP3),
        (p2(RUN_EXPORT), ProgramKind::Command),
    ]
    .into_iter()
    .find_map(|(exported, kind)| exported.then_some(kind))
}

fn link_component(side: &Side, component: &Component) -> Result<Linked, CompileError> {
    let ty = component.component_type();
    let exports: Vec<&str> = ty.exports(&side.wasm).map(|(name, _)| name).collect();
    let kind = kind_of(&exports).ok_or_else(|| CompileError::NotRunnable(no_kind(&exports)))?;
    if let Some(message) = imports::missing_in_component(side, &ty) {
        return Err(CompileError::MissingImports(message));
    }
    let mismatch = |error: wasmtime::Error| CompileError::MissingImports(format!("{error:#}"));
    let pre = side.components.instantiate_pre(component).map_err(mismatch)?;
    match kind {
        ProgramKind::HttpP3 => ServicePre::new(pre).map(Linked::HttpP3),
        ProgramKind::Http => ProxyPre::new(pre).map(Linked::Http),
        ProgramKind::CommandP3 => CommandP3Pre::new(pre).map(Linked::CommandP3),
        ProgramKind::Command | ProgramKind::CoreCommand => CommandPre::new(pre).map(Linked::Command),
    }
    .map_err(|error| CompileError::NotRunnable(format!("{error:#}")))
}

/// Why a component that exports `exports` is no program, and what would make it one.
fn no_kind(exports: &[&str]) -> String {
    format!(
        "the component cannot be run: it exports {}, but must export {HTTP_EXPORT}@0.2.x or {HTTP_P3_EXPORT}@0.3.x (a server) \
         or {RUN_EXPORT}@0.2.x or @0.3.x (a command){}",
        imports::listed(exports),
        imports::version_hint(exports.iter().copied()).unwrap_or_default()
    )
}

fn link_module(engine: &Engine, module: &Module) -> Result<Linked, CompileError> {
    if module.get_export("_start").is_none_or(|export| export.func().is_none()) {
        let exports: Vec<&str> = module.exports().map(|export| export.name()).collect();
        return Err(CompileError::NotRunnable(format!(
            "the module cannot be run: it exports {}, but must export the function _start (WASI preview 1)",
            imports::listed(&exports)
        )));
    }
    if let Some(message) = imports::missing_in_module(engine, module) {
        return Err(CompileError::MissingImports(message));
    }
    engine
        .modules()
        .instantiate_pre(module)
        .map(Linked::CoreCommand)
        .map_err(|error| CompileError::MissingImports(format!("{error:#}")))
}
