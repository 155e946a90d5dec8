//! Which imports this host provides, and how to say which ones it does not.

use wasmtime::{
    Module, Store,
    component::types::{Component, ComponentItem},
};

use crate::{Engine, limits, sandbox::CoreSandbox};

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
pub(crate) fn missing_in_component(engine: &Engine, ty: &Component) -> Option<String> {
    let mut missing = Vec::new();
    for (name, import) in ty.imports(engine.wasm()) {
        if PROVIDED.iter().any(|interface| is_wasi_02(name, interface)) {
            continue;
        }
        match import.ty {
            ComponentItem::ComponentInstance(instance) => {
                let functions: Vec<String> = instance
                    .exports(engine.wasm())
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
    sentence("component", &missing)
}

/// The same of a core module.
pub(crate) fn missing_in_module(engine: &Engine, module: &Module) -> Option<String> {
    let mut store = Store::new(engine.wasm(), CoreSandbox::nothing());
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
    fn long_lists_are_cut() {
        assert_eq!(listed(&[]), "nothing");
        assert_eq!(listed(&["a", "b"]), "a, b");
        let many = vec!["x"; limits::NAMES_IN_ERROR + 5];
        assert!(listed(&many).ends_with("x and 5 more"));
    }
}
