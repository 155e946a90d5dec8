//! Compiled programs on their way to the disk and back.

use coracle_wasi_host::{CacheError, Engine, EngineConfig};

use crate::support::{COMMAND, container, engine, http_program, module, pod, program};

#[tokio::test]
async fn a_program_comes_back_as_it_was() {
    for program in [http_program(), program(COMMAND), module("", "")] {
        let bytes = engine().serialize(&program).unwrap();
        let loaded = engine().deserialize(&bytes).unwrap();
        assert_eq!(loaded.kind(), program.kind());
    }
    let bytes = engine().serialize(&module("", "(call $proc_exit (i32.const 9))")).unwrap();
    let (config, _) = container(engine().deserialize(&bytes).unwrap());
    assert_eq!(pod().start(config).await.unwrap().wait().await.code, 9);
}

#[test]
fn nothing_unsealed_is_loaded() {
    let bytes = engine().serialize(&module("", "")).unwrap();
    for position in [8, 40, 72, 73, bytes.len() / 2, bytes.len() - 1] {
        let mut forged = bytes.clone();
        forged[position] ^= 1;
        assert!(matches!(engine().deserialize(&forged), Err(CacheError::Forged)), "byte {position}");
    }
    assert!(matches!(engine().deserialize(&bytes[..bytes.len() - 1]), Err(CacheError::Forged)));
    for malformed in [&b""[..], b"CORACLE", b"\0asm\x01\0\0\0", &bytes[..20]] {
        assert!(matches!(engine().deserialize(malformed), Err(CacheError::Malformed)));
    }
}

#[test]
fn another_key_is_another_owner() {
    let other = Engine::new(EngineConfig { max_instances: 10, cache_key: [8; 32], ..EngineConfig::default() }).unwrap();
    assert_eq!(other.compatibility_hash(), engine().compatibility_hash());
    assert_eq!(other.compatibility_hash().len(), 64);
    let bytes = engine().serialize(&module("", "")).unwrap();
    assert!(matches!(other.deserialize(&bytes), Err(CacheError::Forged)));
}
