//! The cookie that says who is signed in.
//!
//! `__Host-` makes a browser take it from this host alone, over TLS alone, for all of it alone; `HttpOnly` keeps it from
//! scripts, and `SameSite=Strict` from everything that another site starts.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::sign_in::{MAX_AGE, Token};

/// The secret in a request's cookie.
pub(super) fn read(headers: &HeaderMap) -> Option<Token> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|cookies| cookies.to_str().ok());
    let mut ours = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().strip_prefix(NAME)?.strip_prefix('='));
    Token::parse(ours.next()?)
}

/// Has a browser keep the secret.
pub(super) fn set(token: &Token) -> HeaderValue {
    let cookie = format!("{NAME}={}; {ATTRIBUTES}; Max-Age={}", token.reveal().as_str(), MAX_AGE.as_secs());
    let mut cookie = HeaderValue::try_from(cookie).expect("it is plain ASCII");
    cookie.set_sensitive(true);
    cookie
}

/// Has a browser forget it.
pub(super) fn clear() -> HeaderValue {
    HeaderValue::try_from(format!("{NAME}=; {ATTRIBUTES}; Max-Age=0")).expect("it is plain ASCII")
}

/// The cookie's name.
pub(super) const NAME: &str = "__Host-punktfunk";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_the_cookie_is_set_with_exactly_these_attributes() {
        let set = set(&Token::new([0; 32]));
        let secret = "A".repeat(43);
        assert_eq!(
            set.to_str().unwrap(),
            format!("__Host-punktfunk={secret}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=2592000")
        );
        assert!(set.is_sensitive());
        assert_eq!(
            clear().to_str().unwrap(),
            "__Host-punktfunk=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }

    #[test]
    fn the_cookie_is_found_among_others_and_in_split_headers() {
        let secret = "A".repeat(43);
        let is_found = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            read(&headers).is_some()
        };
        assert!(is_found(&[&format!("__Host-punktfunk={secret}")]));
        assert!(is_found(&[&format!("a=b; __Host-punktfunk={secret}; c=d")]));
        assert!(is_found(&["a=b", &format!("__Host-punktfunk={secret}")]));
        assert!(!is_found(&[]));
        assert!(!is_found(&[&format!("punktfunk={secret}")]));
        assert!(!is_found(&[&format!("__Host-punktfunkx={secret}")]));
        assert!(!is_found(&[&format!("__Host-punktfunk={}", &secret[1..])]));
    }
}
