//! Scans that see the transaction: the overlay's changes merged over what is on disk, in key order.

use std::ops::ControlFlow;

use super::TaskState;
use crate::backend::{Family, KeyRange, Visit, is_empty_range};
use crate::error::StateError;

impl TaskState {
    pub(crate) fn scan_family(&self, family: Family, range: KeyRange<'_>, visit: Visit<'_>) -> Result<(), StateError> {
        if is_empty_range(range) {
            return Ok(());
        }
        self.overlay.with_changes_in(family, range, |changes| {
            let mut changes = changes.peekable();
            let mut flow = ControlFlow::Continue(());
            self.backend.scan(family, range, &mut |key, value| {
                let mut is_hidden = false;
                while let Some((changed, change)) = changes.next_if(|&(changed, _)| changed <= key) {
                    is_hidden = changed == key;
                    if let Some(new) = change {
                        flow = visit(changed, new);
                        if flow.is_break() {
                            return flow;
                        }
                    }
                }
                if !is_hidden {
                    flow = visit(key, value);
                }
                flow
            })?;
            while flow.is_continue()
                && let Some((key, change)) = changes.next()
            {
                if let Some(value) = change {
                    flow = visit(key, value);
                }
            }
            Ok(())
        })
    }
}
