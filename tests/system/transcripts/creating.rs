//! Every `kubectl create` subcommand, `expose`, `autoscale`, `run`, and what `get` shows of the results.

use expect_test::expect_file;

use crate::harness::{Cluster, Transcript};

#[test]
fn everything_that_create_makes() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("create namespace team")
        .kubectl("create serviceaccount bot")
        .kubectl("create configmap settings --from-literal=a=1 --from-literal=b=2")
        .kubectl("create secret generic key --from-literal=a=1")
        .kubectl("create secret docker-registry pull --docker-server=r --docker-username=u --docker-password=p")
        .kubectl("create deployment web --image=x:1 --replicas=0 --port=80")
        .kubectl("create job once --image=x:1 --dry-run=server")
        .kubectl("create cronjob often --image=x:1 --schedule='*/5 * * * *' -- true")
        .kubectl("create job now --from=cronjob/often --dry-run=server")
        .kubectl("create service clusterip inner --tcp=80:8080")
        .kubectl("create service clusterip headless --clusterip=None --tcp=80")
        .kubectl("create service nodeport outer --tcp=80 --node-port=30080")
        .kubectl("create service loadbalancer balanced --tcp=443 --dry-run=server")
        .kubectl("create service externalname elsewhere --external-name=example.com")
        .kubectl("create ingress front --rule='example.com/api*=inner:80,tls=cert' --class=nginx")
        .kubectl("create poddisruptionbudget guard --selector=app=web --min-available=1")
        .kubectl("create priorityclass urgent --value=100 --description=soon")
        .kubectl("create quota limits --hard=pods=2,configmaps=9")
        .kubectl("create role reader --verb=get,list --resource=pods,configmaps")
        .kubectl("create clusterrole scaler --verb=update --resource=deployments.apps/scale")
        .kubectl("create rolebinding reads --role=reader --serviceaccount=default:bot")
        .kubectl("create clusterrolebinding scales --clusterrole=scaler --user=jane --group=ops")
        .kubectl("expose deployment web --port=80 --target-port=8080")
        .kubectl("autoscale deployment web --min=1 --max=3 --cpu-percent=80")
        .kubectl("run lone --image=x:1 --dry-run=server")
        .kubectl("get ns,sa,cm,secret,quota")
        .kubectl("get deploy,cj,hpa,pdb,ing")
        .kubectl("get svc")
        .kubectl("get role,rolebinding -o wide")
        .kubectl("get clusterrole scaler")
        .kubectl("get clusterrolebinding scales -o wide")
        .kubectl("get pc");
    expect_file!["../golden/creating.txt"].assert_eq(&transcript.normalised());
    let token = cluster.kubectl("create token bot --audience=me --duration=1h").ok();
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
}

#[test]
fn who_am_i_and_what_may_i() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("auth whoami")
        .kubectl("auth can-i create deployments.apps")
        .kubectl("auth can-i '*' '*'")
        .kubectl("auth can-i get pods --subresource=log -n kube-system")
        .kubectl("auth can-i get /metrics");
    expect_file!["../golden/auth.txt"].assert_eq(&transcript.normalised());
}
