//! How many bytes of requests may be held at once. Whoever would go beyond is told at once, and waits for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound that requests share.
#[derive(Debug)]
pub(super) struct Budget {
    max_bytes: usize,
    held_bytes: AtomicUsize,
}

/// Bytes that one request holds; given back on drop.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self { max_bytes, held_bytes: AtomicUsize::new(0) })
    }

    /// Nothing yet, to be grown.
    pub(super) fn open(self: &Arc<Self>) -> Held {
        Held { budget: Arc::clone(self), bytes: 0 }
    }

    /// What is held now.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Holds more, unless it is beyond the bound.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.budget.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.budget.max_bytes {
            self.budget.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_held_than_allowed_and_all_of_it_comes_back() {
        let budget = Budget::new(10);
        let mut first = budget.open();
        let mut second = budget.open();
        assert!(first.grow(6));
        assert!(!second.grow(5));
        assert!(second.grow(4));
        assert!(!first.grow(1));
        assert_eq!(budget.held_bytes(), 10);
        drop(first);
        assert!(second.grow(6));
        drop(second);
        assert_eq!(budget.held_bytes(), 0);
    }
}
