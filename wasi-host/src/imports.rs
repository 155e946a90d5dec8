//! Which imports this host provides, and how to say which ones it does not.

use wasmparser::{Parser, Payload};
use wasmtime::{
    Module, Store,
    component::types::{Component, ComponentItem},
};

use crate::{
    Engine,
    engine::{Side, Wasi},
    limits,
    sandbox::CoreSandbox,
};

/// The interfaces of WASI 0.2 that components find here (<https://github.com/WebAssembly/WASI>, 0.2.x).
const PROVIDED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// The interfaces of WASI 0.3, where it is switched on.
const PROVIDED_P3: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/types",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:clocks/types",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/client",
    "wasi:http/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/types",
];

/// Interfaces that are no part of a release of WASI yet, in the versions that components find here.
const PROVIDED_DRAFTS: &[&str] = &[
    "wasi:config/store@0.2.0-rc.1",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft",
    "wasi:keyvalue/store@0.2.0-draft",
];

/// Socket functions that some runtimes add to preview 1, which can only use sockets it was given.
const SOCKET_EXTENSIONS: &[&str] = &[
    "sock_addr_resolve",
    "sock_bind",
    "sock_connect",
    "sock_getaddrinfo",
    "sock_getlocaladdr",
    "sock_getpeeraddr",
    "sock_getsockopt",
    "sock_listen",
    "sock_open",
    "sock_recv_from",
    "sock_send_to",
    "sock_setsockopt",
];

/// Whether `name` is `interface` in a version of WASI 0.2.
pub(crate) fn is_wasi_02(name: &str, interface: &str) -> bool {
    name.strip_prefix(interface).is_some_and(|version| version.starts_with("@0.2."))
}

/// Whether `name` is `interface` in a release of WASI 0.3. Its release candidates differ from one another and from it.
pub(crate) fn is_wasi_03(name: &str, interface: &str) -> bool {
    name.strip_prefix(interface)
        .and_then(|version| version.strip_prefix(P3_VERSION))
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How the version of an interface of WASI 0.3 begins.
const P3_VERSION: &str = "@0.3.";

fn is_of_p3(name: &str) -> bool {
    name.starts_with("wasi:") && name.contains(P3_VERSION)
}

/// What to say of names that are in a release candidate of WASI 0.3.
pub(crate) fn version_hint<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let candidate = names.filter(|name| is_of_p3(name)).find_map(|name| {
        let (_, version) = name.split_once('@')?;
        version.contains('-').then_some(version)
    })?;
    Some(format!(
        ". Of WASI 0.3 this host supports the release, 0.3.0, and not {}: build the program with bindings of the release",
        shortened(candidate)
    ))
}

/// What to say of names that are in another version of a draft than the one that is provided.
fn draft_hint<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    names.find_map(|name| {
        let (package, version) = package_and_version(name)?;
        let mut drafts = PROVIDED_DRAFTS.iter().filter_map(|draft| package_and_version(draft));
        let (_, provided) = drafts.find(|(known, _)| *known == package)?;
        let hint = || format!(". Of {package} this host supports {provided}, and not {}", shortened(version));
        (version != provided).then(hint)
    })
}

fn package_and_version(name: &str) -> Option<(&str, &str)> {
    let (package, interface) = name.split_once('/')?;
    Some((package, interface.split_once('@')?.1))
}

/// What a component (in binary form) uses of WASI 0.3, in any of its versions.
pub(crate) fn used_of_p3(wasm: &[u8]) -> Vec<&str> {
    let mut used = Vec::new();
    let mut depth = 0_u32;
    // What is malformed is found by the compiler and said better.
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                used.extend(imports.into_iter().map_while(Result::ok).map(|import| import.name.name));
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                used.extend(exports.into_iter().map_while(Result::ok).map(|export| export.name.name));
            }
            _ => {}
        }
    }
    used.retain(|name| is_of_p3(name));
    used
}

/// `names` as a user reads them.
pub(crate) fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<String> = names.iter().take(limits::NAMES_IN_ERROR).map(|name| shortened(name)).collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// A name, cut if it is longer than anybody reads.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(limits::NAME_IN_ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// Says which imports of a component this host does not provide, each function by name. None: all are there,
/// by name at least.
pub(crate) fn missing_in_component(side: &Side, ty: &Component) -> Option<String> {
    let mut missing = Vec::new();
    for (name, import) in ty.imports(&side.wasm) {
        let is_p3 = side.wasi == Wasi::P3 && PROVIDED_P3.iter().any(|interface| is_wasi_03(name, interface));
        let is_draft = PROVIDED_DRAFTS.contains(&name);
        if is_p3 || is_draft || PROVIDED.iter().any(|interface| is_wasi_02(name, interface)) {
            continue;
        }
        match import.ty {
            ComponentItem::ComponentInstance(instance) => {
                let functions: Vec<String> = instance
                    .exports(&side.wasm)
                    .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
                    .map(|(function, _)| format!("{name} function '{function}'"))
                    .collect();
                // An interface of types alone is satisfied by anything.
                missing.extend(functions);
            }
            ComponentItem::ComponentFunc(_) => missing.push(format!("function '{name}'")),
            ComponentItem::Type(_) => {}
            _ => missing.push(format!("'{name}'")),
        }
    }
    let mut message = sentence("component", &missing)?;
    let imports = || ty.imports(&side.wasm).map(|(name, _)| name);
    message.extend([version_hint(imports()), draft_hint(imports())].into_iter().flatten());
    Some(message)
}

/// The same of a core module.
pub(crate) fn missing_in_module(engine: &Engine, module: &Module) -> Option<String> {
    let mut store = Store::new(&engine.before3().wasm, CoreSandbox::nothing());
    let missing: Vec<(&str, &str)> = module
        .imports()
        .filter(|import| engine.modules().get_by_import(&mut store, import).is_none())
        .map(|import| (import.module(), import.name()))
        .collect();
    let names: Vec<String> = missing.iter().map(|(module, name)| format!("{module} function '{name}'")).collect();
    let mut message = sentence("module", &names)?;
    if missing.iter().any(|(_, name)| SOCKET_EXTENSIONS.contains(name)) {
        message.push_str(
            ". WASI preview 1 has no way to open a socket: build the program as a WASI 0.2 component \
             (target wasm32-wasip2) to use wasi:sockets",
        );
    }
    Some(message)
}

/// Whether a module can find the directories it is given. They take the first numbers after those of stdio, so one that
/// can't must not have them: it expects nothing there.
pub(crate) fn finds_files(module: &Module) -> bool {
    module.imports().any(|import| import.name() == "fd_prestat_get" || import.name().starts_with("path_"))
}

fn sentence(what: &str, missing: &[String]) -> Option<String> {
    if missing.is_empty() {
        return None;
    }
    let names: Vec<&str> = missing.iter().map(String::as_str).collect();
    Some(format!("the {what} imports {}, which this host does not provide", listed(&names)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_0_2_are_told_from_others() {
        assert!(is_wasi_02("wasi:cli/run@0.2.0", "wasi:cli/run"));
        assert!(is_wasi_02("wasi:cli/run@0.2.12", "wasi:cli/run"));
        assert!(!is_wasi_02("wasi:cli/run@0.3.0", "wasi:cli/run"));
        assert!(!is_wasi_02("wasi:cli/runner@0.2.0", "wasi:cli/run"));
        assert!(!is_wasi_02("wasi:cli/run", "wasi:cli/run"));
    }

    #[test]
    fn releases_of_0_3_are_told_from_candidates() {
        assert!(is_wasi_03("wasi:cli/run@0.3.0", "wasi:cli/run"));
        assert!(is_wasi_03("wasi:cli/run@0.3.12", "wasi:cli/run"));
        for other in ["wasi:cli/run@0.3.0-rc-2026-01-06", "wasi:cli/run@0.3.", "wasi:cli/run@0.2.0", "wasi:cli/run"] {
            assert!(!is_wasi_03(other, "wasi:cli/run"), "{other}");
        }
        let hint = version_hint(["wasi:cli/run@0.3.0", "wasi:cli/exit@0.3.0-rc-2026-01-06"].into_iter()).unwrap();
        assert!(hint.contains("0.3.0, and not 0.3.0-rc-2026-01-06"), "{hint}");
        assert_eq!(version_hint(["wasi:cli/run@0.3.0", "acme:x/y@0.3.0-rc-1"].into_iter()), None);
    }

    #[test]
    fn another_draft_is_told_from_the_one_that_is_here() {
        let hint = draft_hint(["wasi:cli/run@0.2.0", "wasi:keyvalue/store@0.2.0-draft2"].into_iter()).unwrap();
        assert_eq!(hint, ". Of wasi:keyvalue this host supports 0.2.0-draft, and not 0.2.0-draft2");
        assert_eq!(draft_hint(["wasi:config/store@0.2.0-rc.1", "wasi:x/y@1.0.0", "f"].into_iter()), None);
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(&[]), "nothing");
        assert_eq!(listed(&["a", "b"]), "a, b");
        let many = vec!["x"; limits::NAMES_IN_ERROR + 5];
        assert!(listed(&many).ends_with("x and 5 more"));
    }
}
