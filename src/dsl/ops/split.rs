//! `split`: each record goes to the first arm that accepts it, and to no other.

use std::sync::Arc;

use super::stateless;
use super::transform::transform;
use crate::dsl::kstream::KStream;
use crate::record::Record;
use crate::serde::Data;

pub(crate) fn split<K: Data, V: Data, const N: usize>(
    stream: KStream<'_, K, V>,
    arms: [fn(&K, &V) -> bool; N],
) -> [KStream<'_, K, V>; N] {
    let first_match = Arc::new(move |key: &K, value: &V| arms.iter().position(|accepts| accepts(key, value)));
    let first = Arc::clone(&first_match);
    let ruled = transform(stream, "split", move |record: Record<K, V>, outlet, core| {
        if first(&record.key, &record.value).is_none() {
            core.ruling.end_branch("no_branch");
            return Ok(());
        }
        outlet.forward(record, core)
    });
    std::array::from_fn(|arm| {
        let first_match = Arc::clone(&first_match);
        stateless::filter(ruled, move |key, value| first_match(key, value) == Some(arm))
    })
}
