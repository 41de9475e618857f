//! By what an event is known again when it comes a second time.
//!
//! It makes the id only; how long ids are remembered is the store's affair.

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_128;

use super::raw::RawEvent;

/// Ids, keys and lengths of usual events fit without allocation.
const USUAL_BYTES: usize = 256;

/// The 128-bit identity of (record key, write key, message id).
///
/// Each part is preceded by its length, so that no two triples make the same text. The value is part of the state's format: it may never change.
///
/// ```
/// use shoppulse::events::event_id;
///
/// assert_eq!(event_id("s1|a", "w", "m"), event_id("s1|a", "w", "m"));
/// assert_ne!(event_id("s1|a", "w", "m"), event_id("s1|a", "wm", ""));
/// ```
pub fn event_id(record_key: &str, write_key: &str, message_id: &str) -> u128 {
    let mut bytes = SmallVec::<[u8; USUAL_BYTES]>::new();
    for part in [record_key, write_key, message_id] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    xxh3_128(&bytes)
}

impl RawEvent<'_> {
    /// The identity of this event, see [`event_id`].
    pub fn event_id(&self) -> u128 {
        event_id(self.key, &self.write_key, &self.message_id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::event_id;

    #[test]
    fn rule_11_the_three_parts_cannot_trade_characters() {
        let triples = [
            ("k", "w", "m"),
            ("kw", "", "m"),
            ("k", "", "wm"),
            ("", "kw", "m"),
            ("k", "wm", ""),
            ("", "", "kwm"),
            ("kwm", "", ""),
            ("w", "k", "m"),
            ("k", "m", "w"),
            ("K", "w", "m"),
            ("k", "w", "m "),
            ("k", "w", ""),
            ("", "", ""),
        ];
        let ids: BTreeSet<u128> =
            triples.iter().map(|(key, write_key, message_id)| event_id(key, write_key, message_id)).collect();
        assert_eq!(ids.len(), triples.len());
    }

    #[test]
    fn rule_11_identities_never_change_since_state_holds_them() {
        assert_eq!(event_id("shop-1|visitor", "wk_1", "ajs-next-1795379230762-ba0532af"), PINNED);
        let long = "x".repeat(1_000);
        assert_ne!(event_id(&long, "w", "m"), event_id(&long[1..], "w", "m"));
    }

    const PINNED: u128 = 198_053_940_575_088_567_225_851_147_770_271_336_386;
}
