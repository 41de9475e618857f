//! `Emit`: when a table tells its changes to what is behind it. Apart from buffering: state is always up to date at once.

use std::time::Duration;

/// When changes of a table are emitted.
///
/// ```
/// use std::time::Duration;
/// use highwater::dsl::{Emit, Materialized};
///
/// let sessions: Materialized<String, u64> = Materialized::named("sessions").emit(Emit::AtMostEvery(Duration::from_secs(30)));
/// # let _ = sessions;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// Every change, at once.
    Update,
    /// The last change of a key in each transaction.
    #[default]
    Commit,
    /// Of each key a change at most so often: the first after a silence waits for the period to pass, and what follows in it is
    /// told by the last. A restart forgets nothing of it.
    AtMostEvery(Duration),
    /// Of each window its last state, once, when it closes: when stream time passes its end and its grace, or when all inputs
    /// are caught up and silent. Only for windows.
    Close,
}
