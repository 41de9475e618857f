//! The session in the state store: one byte of format, then `postcard`.
//!
//! A new format gets a new number and an own branch in [`Session::decode`]; bytes once written stay readable.

use super::Session;

/// The only format so far.
const FORMAT: u8 = 1;

/// Why bytes of the state store are no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionDecodeError {
    /// There are no bytes.
    #[error("a stored session has no bytes")]
    Empty,
    /// The format is none that this program writes or ever wrote.
    #[error("a stored session has format {0}, and this program reads only {FORMAT}")]
    UnknownFormat(u8),
    /// The bytes don't follow their format.
    #[error("a stored session can't be read: {0}")]
    Malformed(postcard::Error),
    /// More bytes follow than the session has.
    #[error("a stored session is followed by {0} bytes")]
    Trailing(usize),
}

impl Session {
    /// Appends the session's bytes.
    ///
    /// ```
    /// use shoppulse::events::Session;
    ///
    /// let mut bytes = Vec::new();
    /// Session::open().encode(&mut bytes);
    /// assert_eq!(Session::decode(&bytes), Ok(Session::open()));
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        postcard::to_io(self, out).expect("a session holds only what postcard can write, and memory takes it");
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, SessionDecodeError> {
        match bytes.split_first() {
            None => Err(SessionDecodeError::Empty),
            Some((&FORMAT, body)) => match postcard::take_from_bytes(body).map_err(SessionDecodeError::Malformed)? {
                (session, []) => Ok(session),
                (_, rest) => Err(SessionDecodeError::Trailing(rest.len())),
            },
            Some((&other, _)) => Err(SessionDecodeError::UnknownFormat(other)),
        }
    }
}
