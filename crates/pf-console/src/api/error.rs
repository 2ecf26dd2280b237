//! Why the console did not do something: a word for a script, and two sentences for the person before the page.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use pf_base::Code;

use crate::{
    control::ControlError,
    sign_in::{EndError, PasswordError, SignInError, Unsaved},
    view::Refusal,
};

/// A refusal with its status. As an answer it is a [`Refusal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    code: &'static str,
    message: String,
    hint: String,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// Nobody is signed in, or not any more.
    pub(crate) fn signed_out() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "signed_out",
            "You are not signed in, or not any more.",
            "Sign in with the password or a sign-in link.",
        )
    }

    /// The password was given too long ago.
    pub(crate) fn proof_needed() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "proof_needed",
            "This needs the password once more.",
            "Enter the password, then try again. It is asked for when it was entered more than 15 minutes ago.",
        )
    }

    /// Another site asks, in the owner's name.
    pub(crate) fn foreign_origin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "This request does not come from the console's own page.",
            "Use the console's own page. A script sends the header Origin with the console's address, such as \
             https://192.168.1.4:9777.",
        )
    }

    /// The machine was called a name that is not its own.
    pub(crate) fn foreign_host() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign_host",
            "The console does not answer under this name.",
            "Open it by the computer's address or name. To use another name, start the host with --console-name.",
        )
    }

    /// The request makes no sense.
    pub(crate) fn usage(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, Code::Usage.word(), message, "Check the request against the API's document.")
    }

    /// There is nothing at this address.
    pub(crate) fn no_such_route() -> Self {
        Self::usage(StatusCode::NOT_FOUND, "The console has nothing at this address.")
    }

    /// Something broke that never should.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The console broke while it worked on this.",
            "Reload the page to see what was done. Please report this, with what the host wrote to its log.",
        )
    }

    /// The same as plain text, for who asked for a page.
    pub(crate) fn into_text(self) -> Response {
        (self.status, format!("{}\n{}\n", self.message, self.hint)).into_response()
    }

    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { status, code, message: message.into(), hint: hint.into(), retry_after: None }
    }

    fn unsaved(Unsaved { message, way_on }: Unsaved) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::StoreUnreadable.word(), message, way_on)
    }

    fn in_force_but_unsaved(message: String, way_on: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "in_force_but_unsaved", message, way_on)
    }

    fn not_found(code: &'static str, message: &str, hint: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message, hint)
    }

    fn retry_after_s(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after_s = self.retry_after_s();
        let body =
            Refusal { code: self.code.to_owned(), message: self.message, hint: self.hint, retry_after_s };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NoSuchRequest => Self::not_found(
                "no_such_request",
                "This request is not waiting any more.",
                "It was answered, it expired, or the device asked again and is listed anew. Look at the list.",
            ),
            ControlError::NoSuchDevice => Self::not_found(
                "no_such_device",
                "No such device is paired.",
                "It may have been removed meanwhile. Look at the list of devices.",
            ),
            ControlError::NoSuchSession => Self::not_found(
                "no_such_session",
                "No such session is on.",
                "It may have ended meanwhile. Look at the list of sessions.",
            ),
            ControlError::NotArmed => Self::new(
                StatusCode::CONFLICT,
                Code::NotArmed.word(),
                "Pairing is not open.",
                "There is nothing to close: it ran out, or a device used it. Open it to get a new PIN.",
            ),
            ControlError::AlwaysArmed => Self::new(
                StatusCode::CONFLICT,
                "always_armed",
                "Pairing is always open on this host.",
                "The host opens it by itself, with a new PIN after each use. There is nothing to open or close.",
            ),
            ControlError::Store { message, way_on } => Self::unsaved(Unsaved { message, way_on }),
            ControlError::InForceButUnsaved { message, way_on } => {
                Self::in_force_but_unsaved(message, way_on)
            }
            ControlError::Stopping => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unreachable.word(),
                "The host is stopping.",
                "Start it again, then reload this page.",
            ),
        }
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::WrongPassword => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong_password",
                "This is not the password.",
                "Check it and try again. If it is lost, run `punktfunk-host ctl console-url` on the host for a link that \
                 signs you in.",
            ),
            SignInError::LinkUsed => Self::new(
                StatusCode::UNAUTHORIZED,
                "link_used",
                "This sign-in link is not good any more.",
                "A link works once, for an hour, until the host restarts or its password changes. Use the password, or \
                 make a new link: `punktfunk-host ctl console-url` on the host.",
            ),
            SignInError::Wait(wait) => Self {
                retry_after: Some(wait),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    Code::RateLimited.word(),
                    "The password was tried too often.",
                    "Wait, then try again. A sign-in link works meanwhile: `punktfunk-host ctl console-url` on the host \
                     makes one.",
                )
            },
            SignInError::SignedOut => Self::signed_out(),
            SignInError::Unsaved(unsaved) => Self::unsaved(unsaved),
        }
    }
}

impl From<EndError> for ApiError {
    fn from(error: EndError) -> Self {
        match error {
            EndError::NoSuchSignIn => Self::not_found(
                "no_such_sign_in",
                "No such sign-in is open.",
                "It may have ended meanwhile. Look at the list of sign-ins.",
            ),
            EndError::InForceButUnsaved(unsaved) => Self::in_force_but_unsaved(
                format!("The sign-in is ended, and would be open again after a restart. {}", unsaved.message),
                unsaved.way_on,
            ),
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Weak(weak) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "weak_password", weak.to_string(), weak.way_on())
            }
            PasswordError::Unsaved(unsaved) => Self::unsaved(unsaved),
        }
    }
}
