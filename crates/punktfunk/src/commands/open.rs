//! `open`: the app, at the desktop of a paired host where a link names one.

use std::{process::ExitCode, sync::Arc};

use pf_app::{Sentence, Target};
use pf_base::Code;
use pf_client::{Client, Failure};
use tokio::runtime::Runtime;

use crate::{
    app::{self, Start},
    link::Link,
    output::{self, Output},
};

/// Runs the app. What a link cannot open is told in its window, since whoever clicked on it sees no terminal.
pub(super) fn open(
    runtime: &Runtime,
    client: &Arc<Client>,
    link: Option<&Link>,
    json: bool,
) -> Result<Output, ExitCode> {
    let start = match link {
        None => Start::Hosts,
        Some(link) => match meant(client, link) {
            Ok(Some(target)) => Start::Visit(target),
            Ok(None) if json => return Err(refuse(link)),
            Ok(None) => Start::Tell(refusal(link)),
            Err(failure) => return Err(output::finish(Err((failure, link.host().to_owned())), json)),
        },
    };
    app::run(runtime, Arc::clone(client), super::settings(), start)
        .map(|()| Output::nothing())
        .map_err(|failure| output::finish(Err((failure, String::new())), json))
}

/// Tells in a window, too, why the app cannot begin: whoever started it from a menu sees no terminal.
pub(super) fn tell(runtime: &Runtime, failure: &Failure) {
    let told = app::tell(runtime, super::settings(), pf_app::sentence(failure, "The host"));
    if let Err(error) = told {
        tracing::debug!(%error, "there is no window to tell it in");
    }
}

/// The one pinned host that goes by what a link names. `None` where there is no such host.
fn meant(client: &Client, link: &Link) -> Result<Option<Target>, Failure> {
    match client.the_one(link.host()) {
        Ok(host) if host.is_pinned() => Ok(Some(Target::Known(host.fingerprint, host.label))),
        Ok(_) | Err(Failure::NoSuchHost(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// That a link does not open what is not pinned. The name is quoted, and in no command to paste: whoever wrote the link
/// chose it.
fn refusal(link: &Link) -> Sentence {
    Sentence::new(
        format!("No host that is paired with this machine goes by {:?}.", link.host()),
        "A link neither pairs nor trusts. If you know that host and want it, pair with it by hand.",
    )
}

fn refuse(link: &Link) -> ExitCode {
    let Sentence { message, hint } = refusal(link);
    output::fail(Code::PairingRequired, &message, &hint, true)
}
