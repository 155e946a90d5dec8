//! How a command ended, in the words that clients read from the error stream.

use serde_json::json;

/// The end of a command or an attachment.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended, and all is well.
    Success,
    /// It ended with a code.
    ExitCode {
        /// The code.
        code: i32,
        /// What was run.
        command: Vec<String>,
    },
    /// It could not be done.
    Failed(String),
}

impl Outcome {
    /// As a `metav1.Status` in JSON: what protocols have from version 4 on.
    pub fn to_status(&self) -> Vec<u8> {
        let status = match self {
            Outcome::Success => json!({"metadata": {}, "status": "Success"}),
            Outcome::ExitCode { code, .. } => json!({
                "metadata": {},
                "status": "Failure",
                "message": self.message(),
                "reason": "NonZeroExitCode",
                "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
            }),
            Outcome::Failed(why) => json!({
                "metadata": {},
                "status": "Failure",
                "message": self.message(),
                "reason": "InternalError",
                "details": {"causes": [{"message": why}]},
                "code": 500,
            }),
        };
        status.to_string().into_bytes()
    }

    /// As the text that older protocols have, where success says nothing.
    pub fn message(&self) -> String {
        match self {
            Outcome::Success => String::new(),
            Outcome::ExitCode { code, command } => format!(
                "command terminated with non-zero exit code: error executing command [{}], exit code {code}",
                command.join(" ")
            ),
            Outcome::Failed(why) => format!("Internal error occurred: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_find_the_exit_code_where_they_look_for_it() {
        let outcome = Outcome::ExitCode { code: 3, command: vec!["sh".into(), "-c".into()] };
        let status: serde_json::Value = serde_json::from_slice(&outcome.to_status()).unwrap();
        assert_eq!((&status["status"], &status["reason"]), (&json!("Failure"), &json!("NonZeroExitCode")));
        assert_eq!(status["details"]["causes"], json!([{"reason": "ExitCode", "message": "3"}]));
        assert!(outcome.message().ends_with("error executing command [sh -c], exit code 3"));
        assert_eq!(Outcome::Success.to_status(), br#"{"metadata":{},"status":"Success"}"#);
        assert_eq!(Outcome::Failed("no".into()).message(), "Internal error occurred: no");
    }
}
