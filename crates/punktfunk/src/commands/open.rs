//! `open`: the desktop of a paired host, by a link.

use std::process::ExitCode;

use pf_base::Code;
use pf_client::{Client, Failure};

use crate::{cli::Connect, link::Link, output};

/// What a link comes to: a look at the one pinned host that goes by what it names. `None` where there is no such host.
pub(super) fn meant(client: &Client, link: &Link) -> Result<Option<Connect>, Failure> {
    match client.the_one(link.host()) {
        Ok(host) if host.is_pinned() => Ok(Some(Connect::by_link(host))),
        Ok(_) | Err(Failure::NoSuchHost(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Says that a link does not open what is not pinned.
pub(super) fn refuse(link: &Link, json: bool) -> ExitCode {
    // Quoted, and in no command to paste: whoever wrote the link chose the name.
    let host = format!("{:?}", link.host());
    let message = format!(
        "No host that is paired with this machine goes by {host}, and a link neither pairs nor trusts."
    );
    let hint = "If you know that host and want it, pair with it by hand: punktfunk pair HOST";
    output::fail(Code::PairingRequired, &message, hint, json)
}
