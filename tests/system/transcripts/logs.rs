//! `logs`, in all its forms. kubectl asks for the logs of several containers in any order.

use expect_test::expect_file;

use super::{toolbox, with_toolbox};
use crate::harness::guests::TOOLBOX;
use crate::harness::{Transcript, eventually};

/// Two containers, and one before them, that have said a little and are done.
fn pair() -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: pair, labels: {{app: pair}}}}\nspec:\n  restartPolicy: Never\n  \
         initContainers:\n  - {{name: first, image: '{TOOLBOX}', command: [echo, prepared]}}\n  containers:\n  \
         - {{name: one, image: '{TOOLBOX}', command: [sh, -c, 'echo one; echo two; echo three']}}\n  \
         - {{name: other, image: '{TOOLBOX}', command: [echo, another]}}\n"
    )
}

#[test]
fn of_pods_that_are_done() {
    let cluster = with_toolbox();
    cluster.apply(&pair());
    cluster.apply(&toolbox("broken", "[sh, -c, 'echo before; cat /nothing']", ""));
    for (name, phase) in [("pair", "Succeeded"), ("broken", "Failed")] {
        cluster.kubectl(&format!("wait --for=jsonpath={{.status.phase}}={phase} pod/{name} --timeout=60s")).ok();
    }
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("logs broken")
        .kubectl("logs pair")
        .kubectl("logs pair one")
        .kubectl("logs pair -c other")
        .kubectl("logs pair -c first")
        .kubectl("logs pair -c nobody")
        .kubectl_in_any_order("logs pair --all-containers")
        .kubectl_in_any_order("logs pair --all-containers --prefix")
        .kubectl("logs pair --all-pods")
        .kubectl("logs pair -c one --tail=2")
        .kubectl("logs pair -c one --tail=0")
        .kubectl("logs pair -c one --timestamps")
        .kubectl("logs pair -c one --since=1h --timestamps --prefix")
        .kubectl("logs pair -c one --since-time=2100-01-01T00:00:00Z")
        .kubectl("logs pair -c one --limit-bytes=5")
        .kubectl("logs pair -c one --previous")
        .kubectl("logs pair -c one -f")
        .kubectl("logs -l app=pair -c one")
        .kubectl("logs -l app=pair --prefix")
        .kubectl_in_any_order("logs -l app=pair --all-containers --prefix --tail=1")
        .kubectl("logs -l app=nobody")
        .kubectl("logs nobody")
        .kubectl("logs deploy/nobody")
        .kubectl("logs pair -n nowhere")
        .kubectl("logs pair -c one --tail=-2")
        .kubectl("logs pair -c one --since=1h --since-time=2020-01-01T00:00:00Z")
        .kubectl("logs pair -c one --limit-bytes=-1")
        .kubectl("get --raw /api/v1/namespaces/default/pods/pair/log")
        .kubectl("get --raw /api/v1/namespaces/default/pods/pair/log?container=one&tailLines=-1")
        .kubectl("get --raw /api/v1/namespaces/default/pods/pair/log?container=one&tailLines=1")
        .kubectl("get --raw /api/v1/namespaces/default/pods/pair/log?container=one&stream=Stderr")
        .kubectl("get --raw /api/v1/namespaces/default/pods/broken/log?stream=Stderr");
    expect_file!["../golden/logs.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn of_containers_that_wait_or_start_again() {
    let cluster = with_toolbox();
    let again = toolbox("again", "[sh, -c, 'echo last words; exit 1']", "");
    cluster.apply(&again.replace("restartPolicy: Never", "restartPolicy: Always"));
    cluster.apply(&toolbox("absent", "[echo]", "").replace(TOOLBOX, "registry.coracle.internal/guest/absent:1"));
    let slow = format!("initContainers: [{{name: first, image: '{TOOLBOX}', command: [tick, preparing, '50']}}]");
    cluster.apply(&toolbox("slow", "[echo]", "").replace("spec:\n", &format!("spec:\n  {slow}\n")));
    cluster.apply(&toolbox("homeless", "[echo]", "").replace("spec:\n", "spec:\n  nodeSelector: {disk: none}\n"));
    let shows = |pod: &str, path: &str, wanted: &str| {
        eventually(&format!("{path} of {pod} is {wanted}"), || {
            let found = cluster.kubectl(&format!("get pod {pod} -o jsonpath={{.status.{path}}}")).result()?;
            if found == wanted { Ok(()) } else { Err(found) }
        });
    };
    let waiting = "containerStatuses[0].state.waiting.reason";
    shows("again", "containerStatuses[0].restartCount", "1");
    shows("again", waiting, "CrashLoopBackOff");
    shows("slow", waiting, "PodInitializing");
    eventually("a line", || match cluster.kubectl("logs slow -c first").result()? {
        said if said.is_empty() => Err(said),
        _ => Ok(()),
    });
    shows("homeless", "conditions[0].reason", "Unschedulable");
    shows("absent", waiting, "ImagePullBackOff");
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("logs absent")
        .kubectl("logs again")
        .kubectl("logs again --previous")
        .kubectl("logs again -p --timestamps")
        .kubectl("logs slow")
        .kubectl("logs slow -c first --limit-bytes=12")
        .kubectl("logs slow -c first --previous")
        .kubectl_in_any_order("logs slow --all-containers --limit-bytes=10 --ignore-errors")
        .kubectl_for_lines("logs slow -c first -f --prefix --tail=2", 2, |_| {})
        .kubectl("logs homeless")
        .kubectl("logs homeless -c nobody");
    expect_file!["../golden/logs_waiting.txt"].assert_eq(&transcript.normalised());
}
