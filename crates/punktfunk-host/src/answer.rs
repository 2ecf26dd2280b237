//! What a command ends with: data, or a failure with its cause and a way on. The same object on the control socket and
//! on stdout with `--json`.

use pf_base::Code;
use pf_net::BindError;
use pf_store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The object itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    v: u32,
    #[serde(flatten)]
    body: Body,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Data(Value),
    Error(Failure),
}

/// Why it was not done, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    code: String,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Answer {
    pub(crate) fn new(result: Result<Value, Failure>) -> Self {
        Self { v: 1, body: result.map_or_else(Body::Error, Body::Data) }
    }

    pub(crate) fn as_result(&self) -> Result<&Value, &Failure> {
        match &self.body {
            Body::Data(data) => Ok(data),
            Body::Error(failure) => Err(failure),
        }
    }

    /// The object on one line.
    pub(crate) fn to_line(&self) -> String {
        serde_json::to_string(self).expect("an answer is plain JSON")
    }
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: code.word().to_owned(), message: message.into(), hint: hint.into() }
    }

    /// What a command exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        Code::from_word(&self.code).map_or(1, Code::number)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Code::StoreUnreadable, sentence(&error.to_string()), error.hint())
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let hint = match error {
            BindError::Socket(_) => {
                "Name a free port with --port, or one of this machine's addresses with --bind."
            }
            BindError::Identity(_) => "Run again with --restore to go back to the copy of the identity.",
        };
        Self::new(Code::Usage, sentence(&error.to_string()), hint)
    }
}

/// An error's text as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(['.']).collect())
}
