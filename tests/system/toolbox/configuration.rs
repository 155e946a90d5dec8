//! What a container is given: arguments, variables, files.

use super::{cluster, ended, output, pod, ready, shows};
use crate::harness::eventually;
use crate::harness::guests::TOOLBOX;

/// [k8s.io] Docker Containers should be able to override the image's default command and arguments
/// [k8s.io] Docker Containers should be able to override the image's default arguments (docker cmd)
/// [k8s.io] Docker Containers should use the image defaults if command and args are blank
#[test]
fn command_and_arguments() {
    let cluster = cluster();
    let both = pod("both", "[args, '$(WHO)', '$$(WHO)']", "env: [{ name: WHO, value: me }]", "");
    assert_eq!(output(&cluster, &both, "both"), "[\"args\", \"me\", \"$(WHO)\"]\n");
    let only_args = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: only }}\nspec:\n  restartPolicy: Never\n  containers:\n  - {{ name: main, image: {TOOLBOX}, args: [args, x] }}\n"
    );
    assert_eq!(output(&cluster, &only_args, "only"), "[\"toolbox\", \"args\", \"x\"]\n");
    let blank = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: blank }}\nspec:\n  restartPolicy: Never\n  containers:\n  - {{ name: main, image: {TOOLBOX} }}\n"
    );
    cluster.apply(&blank);
    shows(&cluster, "blank", ".status.phase", "Failed");
    assert!(cluster.kubectl("logs blank").ok().contains("there is no such tool"));
}

/// [sig-node] ConfigMap should be consumable via environment variable
/// [sig-api-machinery] Secrets should be consumable from pods in env vars
/// [sig-node] Downward API should provide pod UID as env vars
/// [sig-node] Downward API should provide host IP as an env var
/// [sig-node] Downward API should provide default limits.cpu/memory from node allocatable
#[test]
fn variables_from_everything() {
    let cluster = cluster();
    cluster.kubectl("create configmap c --from-literal=color=blue --from-literal=1bad=x").ok();
    cluster.kubectl("create secret generic s --from-literal=word=hidden").ok();
    let env = "env:
- { name: COLOR, valueFrom: { configMapKeyRef: { name: c, key: color } } }
- { name: WORD, valueFrom: { secretKeyRef: { name: s, key: word } } }
- { name: MISSING, valueFrom: { secretKeyRef: { name: none, key: word, optional: true } } }
- { name: UID, valueFrom: { fieldRef: { fieldPath: metadata.uid } } }
- { name: HOST, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
- { name: CPU, valueFrom: { resourceFieldRef: { resource: limits.cpu } } }
envFrom:
- { prefix: P_, configMapRef: { name: c } }";
    let lines = output(&cluster, &pod("env", "[env]", env, ""), "env");
    let has = |line: &str| lines.lines().any(|it| it == line);
    assert!(has("COLOR=blue") && has("WORD=hidden") && has("P_color=blue") && has("HOSTNAME=env"), "{lines}");
    let uid = cluster.kubectl("get pod env -o jsonpath={.metadata.uid}").ok();
    let host = cluster.kubectl("get pod env -o jsonpath={.status.hostIP}").ok();
    assert!(has(&format!("UID={uid}")) && has(&format!("HOST={host}")), "{lines}");
    assert!(!lines.contains("MISSING=") && lines.lines().any(|it| it.starts_with("CPU=") && it != "CPU=0"), "{lines}");
}

/// [sig-storage] ConfigMap optional updates should be reflected in volume
#[test]
fn files_follow_what_they_are_made_of() {
    let cluster = cluster();
    cluster.kubectl("create configmap c --from-literal=a=one").ok();
    let volumes = "volumes:
- { name: c, configMap: { name: c, optional: true } }
- { name: later, configMap: { name: later, optional: true } }
- { name: me, downwardAPI: { items: [{ path: note, fieldRef: { fieldPath: \"metadata.annotations['note']\" } }] } }";
    let mounts =
        "volumeMounts: [{ name: c, mountPath: /c }, { name: later, mountPath: /later }, { name: me, mountPath: /me }]";
    cluster.apply(&pod("box", "[sleep, '1000']", mounts, volumes));
    ready(&cluster, "box");
    let cat = |file: &str| cluster.kubectl(&format!("exec box -- cat {file}")).result();
    assert_eq!((cat("/c/a"), cat("/me/note")), (Ok("one".into()), Ok("first".into())));
    cluster.kubectl("patch configmap c -p {\"data\":{\"a\":\"two\",\"b\":\"new\"}}").ok();
    cluster.kubectl("create configmap later --from-literal=x=y").ok();
    cluster.kubectl("annotate pod box note=second --overwrite").ok();
    let becomes = |file: &str, text: &str| {
        eventually(&format!("{file} says {text}"), || match cat(file) {
            Ok(found) if found == text => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    for (file, text) in [("/c/a", "two"), ("/c/b", "new"), ("/later/x", "y"), ("/me/note", "second")] {
        becomes(file, text);
    }
}

/// [k8s.io] Variable Expansion should allow substituting values in a volume subpath
#[test]
fn parts_of_volumes() {
    let cluster = cluster();
    cluster.kubectl("create configmap c --from-literal=a=one --from-literal=b=two").ok();
    let mounts = "env: [{ name: WHERE, value: sub }]
volumeMounts:
- { name: c, mountPath: /etc/app/file, subPath: a }
- { name: d, mountPath: /own, subPathExpr: $(WHERE) }
- { name: d, mountPath: /all }";
    let volumes = "volumes: [{ name: c, configMap: { name: c } }, { name: d, emptyDir: {} }]";
    let script = "[sh, -c, 'cat /etc/app/file; write /own/x y; cat /all/sub/x']";
    assert_eq!(output(&cluster, &pod("box", script, mounts, volumes), "box"), "oney");
    let shown = "{range .status.containerStatuses[0].volumeMounts[*]}{.mountPath}{.readOnly}{.recursiveReadOnly} {end}";
    let shown = cluster.kubectl(&format!("get pod box -o jsonpath='{shown}'")).ok();
    assert!(shown.starts_with("/etc/app/file /own /all "), "{shown}");
    assert!(shown.ends_with("/serviceaccounttrueDisabled "), "{shown}");
}

/// [k8s.io] Kubelet when scheduling a busybox Pod with hostAliases should write entries to /etc/hosts
#[test]
fn the_hosts_file() {
    let cluster = cluster();
    let aliases = "hostAliases: [{ ip: 123.45.67.89, hostnames: [foo, bar] }]";
    let hosts = output(&cluster, &pod("box", "[cat, /etc/hosts]", "", aliases), "box");
    assert!(hosts.starts_with("# Kubernetes-managed hosts file.\n"), "{hosts}");
    assert!(hosts.contains("# Entries added by HostAliases.\n123.45.67.89\tfoo\tbar\n"), "{hosts}");
    let ip = cluster.kubectl("get pod box -o jsonpath={.status.podIP}").ok();
    assert!(hosts.contains(&format!("{ip}\tbox\n")), "{hosts}");
}

/// [sig-auth] ServiceAccounts should mount an API token into pods
/// [sig-storage] EmptyDir volumes pod should support shared volumes between containers
#[test]
fn tokens_and_shared_directories() {
    let cluster = cluster();
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    let script = format!("[sh, -c, 'cat {account}/namespace; echo; ls {account}']");
    let listed = output(&cluster, &pod("token", &script, "", ""), "token");
    assert!(listed.starts_with("default\n") && listed.contains(" token\n") && listed.contains(" ca.crt\n"), "{listed}");
    let init = format!(
        "volumes: [{{ name: d, emptyDir: {{ medium: Memory }} }}]\ninitContainers: [{{ name: first, image: {TOOLBOX}, command: [write, /d/x, shared], \
         volumeMounts: [{{ name: d, mountPath: /d }}] }}]"
    );
    let mounts = "volumeMounts: [{ name: d, mountPath: /d }]";
    assert_eq!(output(&cluster, &pod("share", "[cat, /d/x]", mounts, &init), "share"), "shared");
    ended(&cluster, "share");
}

/// [k8s.io] Security Context When creating a pod with readOnlyRootFilesystem should run the container with writable rootfs
#[test]
fn last_words_and_a_root_to_write_to() {
    let cluster = cluster();
    let more = "terminationMessagePath: /tmp/last/words";
    cluster.apply(&pod("words", "[write, /tmp/last/words, goodbye]", more, ""));
    ended(&cluster, "words");
    shows(&cluster, "words", ".status.containerStatuses[0].state.terminated.message", "goodbye");
    let more = "securityContext: { readOnlyRootFilesystem: false, runAsUser: 65534 }";
    let script = "[sh, -c, 'mkdir /new; write /new/file x; cat /new/file']";
    assert_eq!(output(&cluster, &pod("root", script, more, ""), "root"), "x");
}
