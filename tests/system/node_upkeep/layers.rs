//! What a container finds of an image of layers: its variables, its files.

use serde_json::json;

use super::{guest, ready};
use crate::harness::Cluster;
use crate::harness::layered::{Content, Says, put_layered};

/// Such an image gives its files, read-only unless the pod asks for a copy, and variables of which the pod's own take
/// precedence; its program is found from its working directory. It is known as Wasm by its platform or by an annotation.
#[test]
fn a_container_has_what_its_image_of_layers_has() {
    let cluster = Cluster::start();
    let config = json!({
        "Entrypoint": ["tools/sh", "-c"], "Cmd": ["cat /work/notes/one"], "WorkingDir": "/work",
        "Env": ["FROM_IMAGE=image", "COLOUR=blue"],
    });
    // Upper layers replace and remove files of lower ones.
    let lower = [("work/notes/one", Content::Text("first\n")), ("work/gone", Content::Text("x"))];
    let upper = [
        ("work/notes/one", Content::Text("second\n")),
        ("work/.wh.gone", Content::Text("")),
        ("work/tools/sh", Content::Toolbox),
        ("own/file", Content::Text("own\n")),
    ];
    put_layered(&cluster, "platform", Says::Platform, &config, &[&lower, &upper]);
    put_layered(&cluster, "annotation", Says::Annotation, &config, &[&lower, &upper]);

    let once = "restartPolicy: Never";
    let output = |name: &str| {
        cluster.kubectl(&format!("wait --for=jsonpath={{.status.phase}}=Succeeded pod/{name} --timeout=60s")).ok();
        cluster.kubectl(&format!("logs {name}")).ok()
    };
    for image in ["platform", "annotation"] {
        cluster.apply(&guest(image, image, "", once));
        assert_eq!(output(image), "second\n", "{image}");
    }

    let env = "args: ['env']\nenv: [{name: COLOUR, value: red}, {name: SHADE, value: dark $(COLOUR) $(FROM_IMAGE)}]";
    cluster.apply(&guest("variables", "platform", env, once));
    let printed = output("variables");
    let has = |line: &str| printed.lines().any(|found| found == line);
    assert!(has("FROM_IMAGE=image") && has("COLOUR=red") && !has("COLOUR=blue"), "{printed}");
    // A pod can't refer to what only the image knows.
    assert!(has("SHADE=dark red $(FROM_IMAGE)"), "{printed}");

    let waits = "args: ['sleep 1000']";
    let writes = format!("{waits}\nsecurityContext: {{readOnlyRootFilesystem: false}}");
    cluster.apply(&guest("reader", "platform", waits, ""));
    cluster.apply(&guest("writer", "platform", &writes, ""));
    ready(&cluster, "reader");
    ready(&cluster, "writer");
    let exec = |pod: &str, line: &str| cluster.kubectl(&format!("exec {pod} -- {line}"));
    assert_eq!(exec("reader", "ls /work").ok().lines().count(), 2, "what a layer removed is gone");
    for line in ["write /work/notes/one x", "touch /new", "rm /own/file"] {
        exec("reader", line).failed();
        exec("writer", line).ok();
    }
    assert_eq!(exec("writer", "cat /work/notes/one").ok(), "x");
    exec("writer", "ls /own/file").failed();
    // A copy is its container's own.
    assert_eq!(exec("reader", "cat /work/notes/one /own/file").ok(), "second\nown\n");
}
