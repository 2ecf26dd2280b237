//! How a command ended.

use serde_json::Value;

/// How a command ended, and all that it said.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its exit code; 128 and the signal where one ended it.
    pub exit: i32,
    /// What it said on stdout.
    pub stdout: String,
    /// What it said on stderr.
    pub stderr: String,
}

impl Outcome {
    /// The one JSON object on stdout: `v` is 1, and there is either `data` or `error`.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "not one line on stdout: {self:#?}");
        let object: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"));
        assert_eq!(object["v"], 1, "{self:#?}");
        let keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(matches!(keys[..], ["data" | "error", "v"]), "{self:#?}");
        object
    }

    /// The `data` of a command that went well.
    #[track_caller]
    pub fn expect_success(&self) -> Value {
        assert_eq!(self.exit, 0, "{self:#?}");
        let mut object = self.json();
        assert!(object.get("data").is_some(), "{self:#?}");
        object["data"].take()
    }

    /// The `error` of a command that failed so. Every failure says what happened and what to do.
    #[track_caller]
    pub fn expect_failure(&self, exit: i32, code: &str) -> Value {
        assert_eq!(self.exit, exit, "{self:#?}");
        let mut object = self.json();
        let error = object["error"].take();
        assert_eq!(error["code"], code, "{self:#?}");
        for key in ["message", "hint"] {
            assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "no {key}: {self:#?}");
        }
        error
    }

    /// Everything that it said, on both streams.
    pub fn everything(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
