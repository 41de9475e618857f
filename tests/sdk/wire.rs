//! Plain HTTP requests, for what no SDK does on purpose. One request a connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(20);

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks; `None` if nobody answers.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<Answer> {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
}

/// Sends a body.
pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    let length = body.len();
    let text = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    ask(address, &text).expect("somebody answers")
}

fn ask(address: SocketAddr, request: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

/// A batch of page views with these ids.
pub(crate) fn batch(write_key: &str, ids: &[&str]) -> String {
    let messages: Vec<String> =
        ids.iter().map(|id| format!(r#"{{"type":"page","messageId":"{id}","anonymousId":"twice"}}"#)).collect();
    format!(r#"{{"writeKey":"{write_key}","batch":[{}]}}"#, messages.join(","))
}
