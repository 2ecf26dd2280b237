//! What the command line does with the console itself: links, the password, sign-ins.

use pf_base::Code;
use pf_console::sign_in::{EndError, PasswordError, Unsaved};
use serde_json::{Value, json};

use crate::{
    answer::{Failure, sentence},
    console::Access,
};

/// Sets the given password, or makes one and shows it.
pub(super) async fn set_password(console: &Access, password: Option<String>) -> Result<Value, Failure> {
    match password {
        Some(password) => {
            console.sign_ins.set_password(&password).await?;
            Ok(json!({}))
        }
        None => Ok(json!({ "password": console.sign_ins.reset_password().await?.reveal() })),
    }
}

pub(super) async fn sign_ins(console: &Access) -> Value {
    json!({ "sign_ins": console.sign_ins.list().await })
}

pub(super) async fn end_sign_in(console: &Access, id: u64) -> Result<Value, Failure> {
    console.sign_ins.end(id).await?;
    Ok(json!({}))
}

/// A host that runs without the console has none of this.
pub(super) fn no_console() -> Failure {
    Failure::new(
        Code::Usage,
        "This host runs without the console.",
        "Start it with `punktfunk-host serve`, without --no-console.",
    )
}

impl From<EndError> for Failure {
    fn from(error: EndError) -> Self {
        match error {
            EndError::NoSuchSignIn => Self::new(
                Code::Usage,
                sentence(&error.to_string()),
                "`punktfunk-host ctl sign-ins` lists who is signed in.",
            ),
            EndError::InForceButUnsaved(unsaved) => unsaved.into(),
        }
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Weak(weak) => {
                Self::new(Code::Usage, sentence(&weak.to_string()), sentence(weak.way_on()))
            }
            PasswordError::Unsaved(unsaved) => unsaved.into(),
        }
    }
}

impl From<Unsaved> for Failure {
    fn from(Unsaved { message, way_on }: Unsaved) -> Self {
        Self::new(Code::StoreUnreadable, message, way_on)
    }
}
