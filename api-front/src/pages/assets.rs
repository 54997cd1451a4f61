//! The page's style and script: files of ours, named by their content, so that browsers may keep them for ever.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

/// A file that a page asks for.
pub(super) struct Asset {
    /// Before the mark of its content.
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

/// How pages look.
pub(super) static STYLE: Asset =
    Asset { name: "/pay/style.css", kind: "text/css; charset=utf-8", content: include_str!("style.css") };
/// What makes the form nicer where scripts run.
pub(super) static SCRIPT: Asset =
    Asset { name: "/pay/script.js", kind: "text/javascript; charset=utf-8", content: include_str!("script.js") };

/// A change of either is a new address for both.
static MARK: LazyLock<String> = LazyLock::new(|| {
    let both = [STYLE.content, SCRIPT.content].concat();
    blake3::hash(both.as_bytes()).to_hex()[..12].to_owned()
});

impl Asset {
    /// Where it is, with the mark of its content.
    pub(super) fn path(&self) -> String {
        format!("{}?{}", self.name, *MARK)
    }

    /// The route, without the mark.
    pub(super) const fn route(&self) -> &'static str {
        self.name
    }

    /// The file.
    pub(super) fn answer(&self) -> Response {
        let mut response = self.content.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}
