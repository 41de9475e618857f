//! Reads a request's body: within its size, its time and what all requests may hold together, also after it is unpacked.

use std::io::Read as _;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;

use super::budget::Held;

/// How much is unpacked at a time.
const STEP_BYTES: usize = 16 * 1024;

/// How a body may be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The longest body, packed and unpacked.
    pub(super) max_bytes: usize,
    /// How long it may take to come.
    pub(super) within: Duration,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    #[error("the body did not come in time")]
    TooSlow,
    #[error("the body broke off")]
    Broken,
    #[error("the body has a Content-Encoding other than gzip")]
    UnknownEncoding,
    #[error("the body is not gzip")]
    NotGzip,
    #[error("too many requests are held at once")]
    Full,
}

/// Reads it, and unpacks it if it is packed. What it takes in memory is added to `held`.
pub(super) async fn read(headers: &HeaderMap, body: Body, limits: Limits, held: &mut Held) -> Result<Bytes, Unread> {
    let packed = is_gzip(headers.get(header::CONTENT_ENCODING))?;
    let bytes =
        tokio::time::timeout(limits.within, gather(body, limits.max_bytes, held)).await.map_err(|_| Unread::TooSlow)??;
    if packed { unpack(&bytes, limits.max_bytes, held) } else { Ok(bytes) }
}

async fn gather(mut body: Body, max_bytes: usize, held: &mut Held) -> Result<Bytes, Unread> {
    let announced = body.size_hint().exact().unwrap_or_default();
    if announced > max_bytes as u64 {
        return Err(Unread::TooLarge(max_bytes));
    }
    let mut all: Option<Bytes> = None;
    let mut parts = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if all.as_ref().map_or(parts.len(), Bytes::len) + data.len() > max_bytes {
            return Err(Unread::TooLarge(max_bytes));
        }
        if !held.grow(data.len()) {
            return Err(Unread::Full);
        }
        // A body that comes in one piece is not copied.
        match all.take() {
            None if parts.is_empty() => all = Some(data),
            first => {
                if parts.is_empty() {
                    parts.reserve(announced as usize);
                }
                parts.extend_from_slice(&first.unwrap_or_default());
                parts.extend_from_slice(&data);
            }
        }
    }
    Ok(all.unwrap_or_else(|| Bytes::from(parts)))
}

fn is_gzip(encoding: Option<&HeaderValue>) -> Result<bool, Unread> {
    match encoding.map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => Ok(false),
        Some("gzip" | "x-gzip") => Ok(true),
        Some(_) => Err(Unread::UnknownEncoding),
    }
}

fn unpack(packed: &[u8], max_bytes: usize, held: &mut Held) -> Result<Bytes, Unread> {
    let mut decoder = MultiGzDecoder::new(packed);
    let mut bytes = Vec::new();
    loop {
        let start = bytes.len();
        if !held.grow(STEP_BYTES) {
            return Err(Unread::Full);
        }
        bytes.resize(start + STEP_BYTES, 0);
        let count = decoder.read(&mut bytes[start..]).map_err(|_| Unread::NotGzip)?;
        bytes.truncate(start + count);
        if bytes.len() > max_bytes {
            return Err(Unread::TooLarge(max_bytes));
        }
        if count == 0 {
            return Ok(Bytes::from(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::budget::Budget;
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(encoding: &str, body: Vec<u8>, budget_bytes: usize) -> Result<Bytes, Unread> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        let limits = Limits { max_bytes: 100_000, within: Duration::from_secs(30) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut held = Budget::new(budget_bytes).open();
            read(&headers, Body::from(body), limits, &mut held).await
        })
    }

    #[test]
    fn a_body_is_read_and_unpacked_within_its_bounds() {
        let zeroes = vec![b'0'; 100_000];
        let more = vec![b'0'; 100_001];
        let mut broken = gzip(&zeroes);
        broken.truncate(20);
        for (encoding, body, budget, expected) in [
            ("identity", zeroes.clone(), usize::MAX, Ok(zeroes.clone())),
            ("gzip", gzip(&zeroes), usize::MAX, Ok(zeroes.clone())),
            ("GZIP", gzip(b"x"), usize::MAX, Ok(b"x".to_vec())),
            ("gzip", [gzip(b"x"), gzip(b"y")].concat(), usize::MAX, Ok(b"xy".to_vec())),
            ("", more.clone(), usize::MAX, Err(Unread::TooLarge(100_000))),
            ("gzip", gzip(&more), usize::MAX, Err(Unread::TooLarge(100_000))),
            ("gzip", broken, usize::MAX, Err(Unread::NotGzip)),
            ("gzip", b"{}".to_vec(), usize::MAX, Err(Unread::NotGzip)),
            ("br", b"{}".to_vec(), usize::MAX, Err(Unread::UnknownEncoding)),
            ("", zeroes.clone(), 99_999, Err(Unread::Full)),
            ("gzip", gzip(&zeroes), 60_000, Err(Unread::Full)),
        ] {
            let read = read_all(encoding, body, budget);
            assert_eq!(read, expected.map(Bytes::from), "{encoding}");
        }
    }
}
