//! Who may do what: roles, bindings, questions about rights, and what somebody without them is told.

use expect_test::expect_file;

use crate::harness::{Cluster, Transcript};

/// Two teams: `jane` reads pods of one, `kim` works in it, `ann` is its administrator.
pub(super) fn with_a_team(transcript: &mut Transcript<'_>) {
    transcript
        .kubectl("create namespace team")
        .kubectl("create serviceaccount bot -n team")
        .kubectl("create role reader --verb=get,list --resource=pods,deployments.apps --resource-name=web -n team")
        .kubectl("create rolebinding reads --role=reader --user=jane --serviceaccount=team:bot -n team")
        .kubectl("create rolebinding works --clusterrole=edit --user=kim -n team")
        .kubectl("create rolebinding rules --clusterrole=admin --group=chiefs -n team")
        .kubectl("create clusterrole health --verb=get --non-resource-url=/metrics,/healthz/*")
        .kubectl("create clusterrolebinding health --clusterrole=health --user=jane");
}

#[test]
fn rights_are_listed_and_asked_for() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    with_a_team(&mut transcript);
    transcript
        .kubectl("auth whoami --as=jane --as-group=devs --as-uid=7")
        .kubectl_in_any_order("auth can-i --list --as=jane -n team")
        .kubectl_in_any_order("auth can-i --list --as=nobody")
        .kubectl_in_any_order("auth can-i --list --as=system:serviceaccount:team:bot -n team")
        .kubectl_in_any_order("auth can-i --list --as=system:node:elsewhere -n team")
        .kubectl("auth can-i get pods/web --as=jane -n team")
        .kubectl("auth can-i get pods/other --as=jane -n team")
        .kubectl("auth can-i list pods --as=jane")
        .kubectl("auth can-i get /metrics --as=jane")
        .kubectl("auth can-i create pods --subresource=exec --as=kim -n team")
        .kubectl("auth can-i create roles --as=kim -n team")
        .kubectl("auth can-i create roles --as=ann --as-group=chiefs -n team")
        .kubectl("auth can-i get nodes --as=kim")
        .kubectl("get clusterrole edit -o jsonpath={.aggregationRule}")
        .kubectl("describe role reader -n team")
        .kubectl("describe rolebinding reads -n team");
    expect_file!["../golden/access.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn who_has_no_right_is_told_which() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    with_a_team(&mut transcript);
    transcript
        .kubectl("get pods --as=jane")
        .kubectl("get pod web --as=jane -n team")
        .kubectl("get pod other --as=jane -n team")
        .kubectl("get secrets --as=jane -n team")
        .kubectl("get nodes --as=kim")
        .kubectl("get pods -A --as=kim")
        .kubectl("create configmap mine --from-literal=a=1 --as=kim -n team")
        .kubectl("create configmap mine --from-literal=a=1 --as=kim")
        .kubectl("delete namespace team --as=kim")
        .kubectl("create role more --verb=get --resource=secrets --as=kim -n team")
        .kubectl("get --raw /metrics --as=kim")
        // Nobody gives what he has not.
        .kubectl("create role more --verb=get,list --resource=secrets --as=ann --as-group=chiefs -n team")
        .kubectl("create role more2 --verb=get,list --resource=nodes --as=ann --as-group=chiefs -n team")
        .kubectl("create rolebinding all --clusterrole=cluster-admin --user=ann --as=ann --as-group=chiefs -n team");
    expect_file!["../golden/forbidden.txt"].assert_eq(&transcript.normalised());
}

/// A role that may do this with pods, and who has it.
fn readers(verbs: &str, role: &str, user: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: reader, namespace: team}}\nrules:\n\
         - {{apiGroups: [\"\"], resources: [pods], verbs: [{verbs}]}}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: reads, namespace: team}}\nroleRef: \
         {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {role}}}\nsubjects:\n\
         - {{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}\n"
    )
}

#[test]
fn roles_are_reconciled() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    let reconcile = "auth reconcile -f -";
    transcript
        .kubectl("create namespace team")
        .kubectl_with_input("auth reconcile -f - --dry-run=server", &readers("get, list", "reader", "jane"))
        .kubectl("get roles -n team")
        .kubectl_with_input(reconcile, &readers("get, list", "reader", "jane"))
        // Nothing to do.
        .kubectl_with_input(reconcile, &readers("list", "reader", "jane"))
        .kubectl_with_input(reconcile, &readers("watch", "reader", "kim"))
        .kubectl("get role reader -n team -o jsonpath={.rules}{\"\\n\"}")
        .kubectl("get rolebinding reads -n team -o jsonpath={.subjects[*].name}{\"\\n\"}")
        // What a binding binds to does not change: it is made anew.
        .kubectl_with_input(reconcile, &readers("watch", "other", "kim"))
        .kubectl("get rolebinding reads -n team -o jsonpath={.roleRef.name}{\"\\n\"}")
        .kubectl_with_input(
            "auth reconcile -f - --remove-extra-permissions --remove-extra-subjects",
            &readers("watch", "other", "kim"),
        )
        .kubectl("get role reader -n team -o jsonpath={.rules}{\"\\n\"}")
        .kubectl("create rolebinding works --clusterrole=edit --user=kim -n team")
        .kubectl_with_input("auth reconcile -f - --as=kim", &readers("get", "reader", "kim"));
    expect_file!["../golden/reconcile.txt"].assert_eq(&transcript.normalised());
}
