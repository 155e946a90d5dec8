//! Every seed, and every input that was a finding once, keeps the promises.

use std::path::Path;

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 10] = [
    ("patch", coracle_fuzz::patch::check),
    ("apply", coracle_fuzz::apply::check),
    ("definition", coracle_fuzz::definition::check),
    ("cel", coracle_fuzz::cel::check),
    ("selector", coracle_fuzz::selector::check),
    ("quantity", coracle_fuzz::quantity::check),
    ("token", coracle_fuzz::token::check),
    ("body", coracle_fuzz::body::check),
    ("protobuf", coracle_fuzz::protobuf::check),
    ("kinds", coracle_fuzz::kinds::check),
];

#[test]
fn seeds_keep_the_promises() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (target, check) in TARGETS {
        let mut count = 0;
        for seed in std::fs::read_dir(seeds.join(target)).expect("every target has seeds") {
            check(&std::fs::read(seed.expect("a readable directory").path()).expect("a readable seed"));
            count += 1;
        }
        assert!(count >= 2, "{target} has {count} seeds");
    }
}
