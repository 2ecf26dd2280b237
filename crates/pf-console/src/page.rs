//! The page: what was built from `web/`, inside the program.
//!
//! Files under `assets/` have the hash of what is in them in their names, so a browser keeps them for good; all else is
//! asked for anew each time. Only these files are ever compressed: an answer of the API mixes secrets with what others
//! chose, and its compressed size would tell of both (BREACH).

use std::{borrow::Cow, collections::HashMap, io::Write};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use flate2::{Compression, write::GzEncoder};
use rust_embed::Embed;

/// The page's files, by path.
pub(crate) struct Page(HashMap<String, File>);

struct File {
    plain: Bytes,
    /// Only where it is smaller.
    gzip: Option<Bytes>,
    content_type: &'static str,
    cache: &'static str,
    etag: HeaderValue,
}

impl Page {
    /// The page that was built into the program; each file is compressed once, here.
    pub(crate) fn built_in() -> Self {
        let files = Files::iter().filter_map(|path| {
            let file = Files::get(&path)?;
            let address = if path == "index.html" { "/".to_owned() } else { format!("/{path}") };
            Some((address, File::new(&path, file.data, &file.metadata.sha256_hash())))
        });
        Self(files.collect())
    }

    /// The file at a path, to a browser that sent these headers.
    pub(crate) fn serve(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let file = self.0.get(path)?;
        let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| *known == file.etag);
        let mut response =
            if is_known { StatusCode::NOT_MODIFIED.into_response() } else { file.content(headers) };
        let answer = response.headers_mut();
        answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(file.cache));
        answer.insert(header::ETAG, file.etag.clone());
        answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        Some(response)
    }
}

impl File {
    fn new(path: &str, data: Cow<'static, [u8]>, hash: &[u8]) -> Self {
        let plain = match data {
            Cow::Borrowed(data) => Bytes::from_static(data),
            Cow::Owned(data) => data.into(),
        };
        let gzip = compress(&plain).filter(|gzip| gzip.len() < plain.len());
        let cache =
            if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        let etag = format!("W/\"{}\"", &HEXLOWER.encode(hash)[..32]);
        let etag = HeaderValue::try_from(etag).expect("it is plain ASCII");
        Self { plain, gzip, content_type: content_type(path), cache, etag }
    }

    fn content(&self, headers: &HeaderMap) -> Response {
        let content_type = [(header::CONTENT_TYPE, self.content_type)];
        match &self.gzip {
            Some(gzip) if takes_gzip(headers) => {
                let encoding = [(header::CONTENT_ENCODING, "gzip")];
                (content_type, encoding, Body::from(gzip.clone())).into_response()
            }
            _ => (content_type, Body::from(self.plain.clone())).into_response(),
        }
    }
}

fn compress(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    Some(encoder.finish().ok()?.into())
}

/// Whether a browser takes gzip: every one does; a script may not.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    accepted.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused =
            weight.trim().strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty());
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

/// What a file is, by its ending. A browser takes our word for it (`nosniff`).
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("webmanifest") => "application/manifest+json",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[derive(Embed)]
#[folder = "page/"]
struct Files;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &Page, path: &str) -> String {
        String::from_utf8(page.0[path].plain.to_vec()).unwrap()
    }

    /// The page is built, and not committed: an owner sees a white window.
    #[test]
    fn the_page_is_there_with_everything_that_it_loads() {
        let page = Page::built_in();
        let index = text(&page, "/");
        let loaded: Vec<_> = index
            .split(['"', '\''])
            .filter(|value| value.starts_with('/') || value.starts_with("./"))
            .map(|value| value.trim_start_matches('.'))
            .collect();
        for path in &loaded {
            assert!(page.0.contains_key(*path), "index.html loads {path}, which is not there");
        }
        assert!(
            loaded.iter().any(|path| path.rsplit('.').next() == Some("js")),
            "index.html loads no script"
        );
    }

    /// A script in the page itself: the policy of the console's answers forbids it, and it would just not run.
    #[test]
    fn the_page_has_nothing_inline() {
        let index = text(&Page::built_in(), "/");
        for part in index.split("<script").skip(1) {
            let (tag, rest) = part.split_once('>').unwrap();
            assert!(tag.contains("src="), "{tag}");
            assert!(rest.trim_start().starts_with("</script>"), "{rest}");
        }
        assert!(!index.contains("<style"));
        assert!(!index.contains(" style="));
    }

    #[test]
    fn a_coding_that_is_refused_is_not_sent() {
        let takes = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            takes_gzip(&headers)
        };
        assert!(takes("gzip, deflate, br, zstd"));
        assert!(takes("br;q=1.0, GZIP;q=0.5"));
        assert!(!takes("br"));
        assert!(!takes("gzip;q=0"));
        assert!(!takes("gzip; q=0.0"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
