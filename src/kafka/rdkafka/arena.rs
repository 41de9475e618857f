//! Memory for the values of records under way, so that each is copied once and freed with all others of its transaction.
//!
//! The C client is told to keep pointers instead of copies. Nothing here knows when it has let go of them: the producer does.

/// Values are small against this; a larger one gets a chunk of its own.
const CHUNK_BYTES: usize = 1 << 20;

/// Bytes that stay where they are until [`Arena::reset`].
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// Full and half-full chunks; only the one at `current` takes more. None ever grows beyond its capacity.
    chunks: Vec<Vec<u8>>,
    current: usize,
    keep_max_bytes: usize,
}

impl Arena {
    /// `keep_max_bytes` of memory are kept for the next transaction.
    pub(super) fn new(keep_max_bytes: usize) -> Self {
        Self { chunks: Vec::new(), current: 0, keep_max_bytes }
    }

    /// Copies bytes to where they stay. The pointer is never null, also for no bytes.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> *const u8 {
        while self.chunks.get(self.current).is_some_and(|chunk| chunk.capacity() - chunk.len() < bytes.len()) {
            self.current += 1;
        }
        if self.current == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(bytes.len().max(CHUNK_BYTES)));
        }
        let chunk = &mut self.chunks[self.current];
        let start = chunk.len();
        chunk.extend_from_slice(bytes);
        chunk[start..].as_ptr()
    }

    /// Forgets everything that was copied here. The caller has made sure that nobody points here any more.
    pub(super) fn reset(&mut self) {
        let mut kept_bytes = 0;
        self.chunks.retain_mut(|chunk| {
            kept_bytes += chunk.capacity();
            chunk.clear();
            chunk.capacity() == CHUNK_BYTES && kept_bytes <= self.keep_max_bytes
        });
        self.current = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, CHUNK_BYTES};

    #[test]
    fn bytes_stay_where_they_are_until_the_reset() {
        let mut arena = Arena::new(2 * CHUNK_BYTES);
        let sizes = [0, 1, 700_000, 700_000, 3 * CHUNK_BYTES, 5, CHUNK_BYTES, CHUNK_BYTES / 2, 0];
        let copied: Vec<(Vec<u8>, *const u8)> = sizes
            .iter()
            .zip(1_u8..)
            .map(|(size, fill)| {
                let bytes = vec![fill; *size];
                let at = arena.copy(&bytes);
                (bytes, at)
            })
            .collect();
        for (bytes, at) in copied {
            assert!(!at.is_null());
            let held = arena.chunks.iter().any(|chunk| {
                let range = chunk.as_ptr_range();
                at >= range.start && at <= range.end && chunk[at as usize - range.start as usize..].starts_with(&bytes)
            });
            assert!(held, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn a_reset_keeps_memory_up_to_its_bound_and_no_odd_chunks() {
        let mut arena = Arena::new(2 * CHUNK_BYTES);
        for _ in 0..3 {
            for size in [CHUNK_BYTES; 5].into_iter().chain([CHUNK_BYTES + 1]) {
                arena.copy(&vec![7; size]);
            }
            arena.reset();
            assert_eq!(arena.chunks.iter().map(Vec::capacity).collect::<Vec<_>>(), [CHUNK_BYTES; 2]);
        }
    }
}
