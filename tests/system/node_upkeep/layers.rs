//! What a container finds of an image of layers: its variables, its files.

use serde_json::json;

use super::{guest, ready, waits};
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
        ("work/tools/sh", Content::Sample("toolbox")),
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

/// An image without an entrypoint runs what a container names: by its path, from the working directory, or on the image's
/// `PATH`. A name that the image does not have is for the program of the image, if there is one.
#[test]
fn a_container_may_name_the_file_that_it_runs() {
    let cluster = Cluster::start();
    let files = [("app/one.wasm", Content::Sample("batch")), ("tools/echo", Content::Sample("toolbox"))];
    put_layered(&cluster, "loose", Says::Platform, &json!({"Env": ["PATH=/tools"]}), &[&files]);
    put_layered(&cluster, "whole", Says::Platform, &json!({"Entrypoint": ["/tools/echo"]}), &[&files]);
    let batch = "9592 primes up to 100000\n";
    for (name, image, container, wanted) in [
        ("path", "loose", "command: [/app/one.wasm]", batch),
        ("dir", "loose", "command: [one.wasm]\nworkingDir: /app", batch),
        ("bare", "loose", "command: [echo, a, b]", "a b\n"),
        ("variable", "loose", "command: [/$(WHERE)/one.wasm]\nenv: [{name: WHERE, value: app}]", batch),
        ("other", "whole", "command: [/app/one.wasm]", batch),
        ("applet", "whole", "command: [/bin/echo, a]", "a\n"),
    ] {
        cluster.apply(&guest(name, image, container, "restartPolicy: Never"));
        cluster.kubectl(&format!("wait --for=jsonpath={{.status.phase}}=Succeeded pod/{name} --timeout=60s")).ok();
        assert_eq!(cluster.kubectl(&format!("logs {name}")).ok(), wanted, "{name}");
    }
    cluster.apply(&guest("silent", "loose", "args: [x]", ""));
    let message = waits(&cluster, "silent", "CreateContainerError");
    assert!(message.contains("has no Wasm module to run: it has no entrypoint"), "{message}");
    cluster.apply(&guest("lost", "loose", "command: [nobody]", ""));
    let message = waits(&cluster, "lost", "CreateContainerError");
    assert!(message.contains("exec: \"nobody\": executable file not found in $PATH"), "{message}");
}
