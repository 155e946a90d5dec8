//! The options of a connection as an object (`PodExecOptions` …), which is what admission looks at.

use serde_json::{Map, Value, json};

use crate::http::Params;

const FLAGS: [&str; 4] = ["stdin", "stdout", "stderr", "tty"];

/// What the query says, as an object of the kind.
pub(super) fn of_query(kind: &str, params: &Params) -> Value {
    let mut options = json!({ "kind": kind, "apiVersion": "v1" });
    match kind {
        "PodPortForwardOptions" => {
            let ports: Vec<u16> = params.all("ports").filter_map(|port| port.parse().ok()).collect();
            if !ports.is_empty() {
                options["ports"] = json!(ports);
            }
        }
        kind => {
            FLAGS.into_iter().filter(|flag| params.flag(flag)).for_each(|flag| options[flag] = json!(true));
            if let Some(container) = params.get("container") {
                options["container"] = json!(container);
            }
            if kind == "PodExecOptions" {
                options["command"] = json!(params.all("command").collect::<Vec<_>>());
            }
        }
    }
    options
}

/// The options of a connection to a server behind the proxy.
pub(super) fn of_proxy(plural: &str, path: &str) -> Value {
    let kind = match plural {
        "pods" => "PodProxyOptions",
        "services" => "ServiceProxyOptions",
        _ => "NodeProxyOptions",
    };
    let mut options = json!({ "kind": kind, "apiVersion": "v1" });
    if !path.is_empty() {
        options["path"] = json!(path);
    }
    options
}

/// The query that says the same.
pub(super) fn to_query(options: &Value) -> Params {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let none = Map::new();
    let fields = options.as_object().unwrap_or(&none).iter();
    for (name, value) in fields.filter(|(name, _)| !matches!(name.as_str(), "kind" | "apiVersion")) {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            query.append_pair(name, &text);
        }
    }
    Params::parse(Some(&query.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_become_options_and_back() {
        let params = Params::parse(Some("command=ls&command=-l&stdout=true&tty=false&container=a"));
        let options = of_query("PodExecOptions", &params);
        let expected = json!({
            "kind": "PodExecOptions", "apiVersion": "v1", "command": ["ls", "-l"], "stdout": true, "container": "a",
        });
        assert_eq!(options, expected);
        assert_eq!(of_query("PodExecOptions", &to_query(&options)), expected);
        let ports = of_query("PodPortForwardOptions", &Params::parse(Some("ports=80&ports=x")));
        assert_eq!(ports["ports"], json!([80]));
    }
}
