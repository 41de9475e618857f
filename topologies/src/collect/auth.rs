//! The write key of a request: the user's name of HTTP's basic authentication. A body's own key counts where there is none.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;

/// Padding is left out by some.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// The key of the header; `None` if there is no basic authentication, empty if it cannot be read.
pub(super) fn write_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let (scheme, credentials) = value.trim().split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = LENIENT.decode(credentials.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    Some(decoded.split(':').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_users_name() {
        for (value, expected) in [
            (None, None),
            (Some("Basic d2tfYTo="), Some("wk_a")),
            (Some("basic d2tfYTo"), Some("wk_a")),
            (Some("Basic d2tfYQ=="), Some("wk_a")),
            (Some("Basic d2tfYTpwYXNz"), Some("wk_a")),
            (Some("Basic"), Some("")),
            (Some("Basic !!"), Some("")),
            (Some("Basic //8="), Some("")),
            (Some("Bearer d2tfYTo="), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(write_key(&headers).as_deref(), expected, "{value:?}");
        }
    }
}
