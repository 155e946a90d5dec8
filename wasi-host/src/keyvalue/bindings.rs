//! What the guest calls, generated from the interface's text. wasmtime-wasi-keyvalue keeps its own bindings to itself.

wasmtime::component::bindgen!({
    path: "wit/keyvalue",
    world: "imports",
    imports: { default: async | trappable },
    with: {
        "wasi:keyvalue/store.bucket": crate::keyvalue::OpenBucket,
    },
    trappable_error_type: {
        "wasi:keyvalue/store.error" => crate::keyvalue::Error,
    },
});

pub(super) use self::wasi::keyvalue::{atomics, batch, store};
