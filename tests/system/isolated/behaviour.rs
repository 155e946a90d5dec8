//! What is no different for a pod with a process of its own.

use std::path::PathBuf;

use super::{END, cluster, gone, isolated, output, pod, process_of, ready, shows};
use crate::harness::guests::{self, TOOLBOX};
use crate::harness::{Cluster, eventually, get};

#[test]
fn every_end_has_its_code() {
    let cluster = Cluster::start();
    for (name, wat, more, wanted) in guests::ENDS {
        guests::push(&cluster, name, wat);
        cluster.apply(&isolated(&guests::pod(name, "Never", more)));
        shows(&cluster, name, END, wanted);
    }
    assert_eq!(cluster.kubectl("logs failing").ok(), "failing\n");
    let message = "{.status.containerStatuses[0].state.terminated.message}";
    let trap = cluster.kubectl(&format!("get pod trap -o jsonpath={message}")).ok();
    assert!(trap.contains("unreachable") && trap.contains("inner"), "{trap}");
    // With the last container the process goes too.
    gone(&cluster, "quick");
}

#[test]
fn arguments_variables_and_files_are_its_own() {
    let cluster = cluster();
    let volumes = "volumes: [{ name: d, emptyDir: {} }, { name: c, configMap: { name: settings } }]\n\
                   initContainers:\n- name: before\n  image: IMAGE\n  command: [write, /d/first, before]\n  \
                   volumeMounts: [{ name: d, mountPath: /d }]";
    let more = "env: [{ name: COLOUR, value: blue }]\n\
                volumeMounts: [{ name: d, mountPath: /d }, { name: c, mountPath: /c }]";
    cluster.kubectl("create configmap settings --from-literal=key=value").ok();
    let script = "[sh, -c, 'cat /d/first; cat /c/key; echo new > /d/second; cat /d/second; ls /d; hostname; ls /c']";
    let said = output(&cluster, &pod("files", script, more, &volumes.replace("IMAGE", TOOLBOX)), "files");
    for word in ["before", "value", "new", "first", "second", "files", "key"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let said = output(&cluster, &pod("env", "[env]", more.lines().next().unwrap(), ""), "env");
    assert!(said.contains("COLOUR=blue\n") && said.contains("HOSTNAME=env\n"), "{said}");
    let refused = pod("refused", "[write, /c/key, other]", more, &volumes.replace("IMAGE", TOOLBOX));
    cluster.apply(&refused);
    shows(&cluster, "refused", END, "1/Error");
}

#[test]
fn http_services_names_and_localhost() {
    let cluster = cluster();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/hello/hello.wasm");
    let pushed = format!("{}/guest/hello:1", cluster.line("registry"));
    crate::harness::run(crate::harness::coracle().arg("push").arg(file).arg(pushed)).ok();
    let probe = "readinessProbe: { httpGet: { port: 80, path: / }, periodSeconds: 1 }\n\
                 ports: [{ containerPort: 80 }]\nenv: [{ name: POD_NAME, value: web }]";
    let web = pod("web", "[hello]", probe, "").replace(TOOLBOX, &guests::image("hello"));
    cluster.apply(&web);
    cluster.kubectl("expose pod web --port 80").ok();
    ready(&cluster, "web");
    let address = cluster.kubectl("get pod web -o jsonpath={.status.podIP}").ok();
    assert!(get(&format!("http://{address}:80/")).unwrap().contains("web"));

    let service = cluster.kubectl("get service web -o jsonpath={.spec.clusterIP}").ok();
    eventually("the Service leads there", || get(&format!("http://{service}:80/")));
    let dials = "[sh, -c, 'resolve web; get web:80/; get web.default.svc.cluster.local:80/']";
    let said = output(&cluster, &pod("dials", dials, "", ""), "dials");
    assert!(said.starts_with(&service), "{said}");
    let unknown = pod("unknown", "[resolve, nowhere.example.invalid]", "", "");
    cluster.apply(&unknown);
    shows(&cluster, "unknown", END, "1/Error");

    let second = format!("containers:\n- name: server\n  image: {TOOLBOX}\n  command: [serve, '9000']");
    let two = pod("two", "[get, 'localhost:9000/hostname']", "", "").replace(
        "  containers:\n",
        &format!("{}\n", second.replace('\n', "\n  ").replace("containers", "  containers")),
    );
    // Who comes first asks again.
    cluster.apply(&two.replace("restartPolicy: Never", "restartPolicy: OnFailure"));
    eventually("one container finds the other", || match cluster.kubectl("logs two -c main").result()? {
        said if said.contains("two") => Ok(()),
        said => Err(said),
    });
}

#[test]
fn limits_hold_and_usage_is_seen() {
    let cluster = Cluster::start();
    guests::push(&cluster, "loop", guests::LOOP);
    let limit = "    resources: {limits: {cpu: 100m, memory: 64Mi}}\n";
    cluster.apply(&isolated(&guests::pod("loop", "Never", limit)));
    ready(&cluster, "loop");
    let usage = || -> Result<f64, String> {
        let top = cluster.kubectl("top pod loop --no-headers").result()?;
        let millis = top.split_whitespace().nth(1).and_then(|cpu| cpu.strip_suffix('m')?.parse().ok());
        millis.filter(|millis| *millis > 0.0).ok_or(top)
    };
    let used = eventually("its usage", usage);
    assert!((40.0..=150.0).contains(&used), "a pod of 100m used {used}m");
    // Another limit from now on, in the same process.
    let before = process_of(&cluster, "loop").unwrap();
    let limits = r#"{"limits":{"cpu":"300m","memory":"64Mi"},"requests":{"cpu":"300m"}}"#;
    let patch = format!(r#"{{"spec":{{"containers":[{{"name":"main","resources":{limits}}}]}}}}"#);
    cluster.kubectl(&format!("patch pod loop --subresource resize -p '{patch}'")).ok();
    shows(&cluster, "loop", ".status.containerStatuses[0].resources.limits.cpu", "300m");
    eventually("it may use more", || match usage()? {
        used if used > 200.0 => Ok(()),
        used => Err(used.to_string()),
    });
    assert_eq!(process_of(&cluster, "loop").unwrap(), before);
}

#[test]
fn a_handler_that_nobody_has_is_an_event() {
    let cluster = cluster();
    let class = "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: { name: other }\nhandler: somebodys";
    cluster.apply(class);
    let classes = cluster.kubectl("get runtimeclass -o name").ok();
    assert!(classes.contains("runtimeclass.node.k8s.io/wasm-isolated"), "{classes}");
    cluster.apply(&pod("waits", "[echo]", "", "").replace("wasm-isolated", "other"));
    let event = eventually("an event", || {
        let found = cluster
            .kubectl("get events --field-selector reason=FailedCreatePodSandBox -o jsonpath={.items[*].message}");
        found.result().and_then(|text| if text.is_empty() { Err("none".into()) } else { Ok(text) })
    });
    assert!(event.contains("no runtime for \"somebodys\" is configured"), "{event}");
    shows(&cluster, "waits", ".status.phase", "Pending");
}
