//! Programs that are made to keep the compiler busy.

use super::is_well;
use crate::harness::guests::{pod, push};
use crate::harness::{Cluster, eventually};

#[test]
fn programs_made_for_the_compiler_are_refused_by_name_and_harm_nobody() {
    let cluster = Cluster::start();
    // Blocks of the flat form: the other one nests in the text, too, whose reader has a limit of its own.
    let nested = format!(
        r#"(module (memory (export "memory") 1) (func (export "_start") {} {}))"#,
        "block ".repeat(11_000),
        "end ".repeat(11_000)
    );
    let long = format!(r#"(module (memory (export "memory") 1) (func (export "_start") {}))"#, "nop ".repeat(3 << 20));
    let why = "the program exceeds a limit of this host";
    for (name, wat) in [("nested", nested), ("long", long)] {
        push(&cluster, name, &wat);
        cluster.apply(&pod(name, "Never", ""));
        eventually(name, || {
            let path = "jsonpath={.status.containerStatuses[0].state.waiting}";
            let said = cluster.kubectl(&format!("get pod {name} -o {path}")).result()?;
            if said.contains("CreateContainerError") && said.contains(why) { Ok(()) } else { Err(said) }
        });
    }
    is_well(&cluster, "beside");
}
