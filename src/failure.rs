//! How an error is told to the user: one line of causes, each said once.

/// The error and its causes, joined by colons. Many libraries quote a cause in their own text already; it is not
/// repeated then.
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        // The library adds how it represents an answer of the API; people want the answer.
        let answer = match cause.downcast_ref::<kube::Error>() {
            Some(kube::Error::Api(status)) => Some(status.message.clone()),
            _ => None,
        };
        let last = answer.is_some();
        add(&mut text, &answer.unwrap_or_else(|| cause.to_string()));
        if last {
            break;
        }
    }
    text
}

fn add(text: &mut String, cause: &str) {
    if text.contains(cause) {
        return;
    }
    if !text.is_empty() {
        text.push_str(": ");
    }
    text.push_str(cause);
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn an_answer_of_the_api_is_its_message() {
        let status = kube::core::Status::failure("pods \"p\" not found", "NotFound").with_code(404);
        let error = anyhow::Error::from(kube::Error::Api(Box::new(status))).context("cannot look");
        assert_eq!(explain(&error), "cannot look: pods \"p\" not found");
    }

    #[test]
    fn a_cause_is_said_once() {
        let plain = anyhow!("refused").context("cannot connect");
        assert_eq!(explain(&plain), "cannot connect: refused");
        let quoted = anyhow!("refused").context("cannot connect: refused").context("push");
        assert_eq!(explain(&quoted), "push: cannot connect: refused");
    }
}
