//! Guests that never end, deleted while they spin.

use super::{classes, is_well, runs};
use crate::harness::Cluster;
use crate::harness::guests::{pod_of, push};

#[test]
fn wherever_it_spins_a_pod_ends_when_it_is_deleted() {
    let cluster = Cluster::start();
    let start = r#"(module (memory (export "memory") 1) (func $spin (loop (br 0))) (start $spin)
        (func (export "_start")))"#;
    let fill = r#"(module (memory (export "memory") 4096) (func (export "_start")
        (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x10000000)) (br 0))))"#;
    let component = r#"(component
        (core module $m (func $spin (loop (br 0))) (start $spin) (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    let guests = [("start", start), ("fill", fill), ("component", component)];
    let mut pods = Vec::new();
    for (guest, wat) in guests {
        push(&cluster, guest, wat);
        for class in classes() {
            let name = format!("{guest}-{class}");
            cluster.apply(&class.of(&pod_of(guest, &name, "Always", "")));
            pods.push(name);
        }
    }
    for name in &pods {
        runs(&cluster, name);
    }
    is_well(&cluster, "beside");
    for name in &pods {
        // A grace of a second, and far more patience than it takes to look at a busy machine.
        cluster.kubectl(&format!("delete pod {name} --timeout=30s")).ok();
    }
    is_well(&cluster, "afterwards");
}
