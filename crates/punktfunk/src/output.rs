//! How a command ends: data or a failure, for a person or for a script.

use std::process::ExitCode;

use pf_base::Code;
use pf_client::Failure;
use serde_json::{Value, json};

use crate::sentences::{Sentence, sentence};

/// What a command gives when it went well.
pub(crate) struct Output {
    /// For a script.
    pub(crate) data: Value,
    /// For a person; printed with its own line end.
    pub(crate) text: String,
}

impl Output {
    pub(crate) fn new(data: Value, text: impl Into<String>) -> Self {
        Self { data, text: text.into() }
    }

    /// What the app gives, which has shown all that there was to tell.
    pub(crate) fn nothing() -> Self {
        Self::new(json!({}), "")
    }
}

/// Prints how a command ended; what it returns is the exit code.
pub(crate) fn finish(result: Result<Output, (Failure, String)>, json: bool) -> ExitCode {
    match result {
        Ok(output) if json => {
            println!("{}", json!({ "v": 1, "data": output.data }));
            ExitCode::SUCCESS
        }
        Ok(output) => {
            if !output.text.is_empty() {
                println!("{}", output.text);
            }
            ExitCode::SUCCESS
        }
        Err((failure, host)) => {
            let Sentence { message, hint } = sentence(&failure, &host);
            fail(failure.code(), &message, &hint, json)
        }
    }
}

/// Prints a failure; what it returns is the exit code.
pub(crate) fn fail(code: Code, message: &str, hint: &str, json: bool) -> ExitCode {
    if json {
        let error = json!({ "code": code.word(), "message": message, "hint": hint });
        println!("{}", json!({ "v": 1, "error": error }));
    } else {
        eprintln!("{message}\n{hint}");
    }
    code.number().into()
}
