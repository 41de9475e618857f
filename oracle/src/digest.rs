//! SHA-256 as the contract uses it: in hex, cut to 32 digits.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The first 32 hex digits of the digest of a text.
pub(crate) fn sha256_32(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    digest[..16].iter().fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_of_abc_is_that_of_the_standard() {
        assert_eq!(super::sha256_32("abc"), "ba7816bf8f01cfea414140de5dae2223");
    }
}
