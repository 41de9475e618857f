//! Faults on order: which call of which client fails, and how; and a record of the calls. Only the
//! bookkeeping is here: what becomes of a call is `gate`, what a lost answer means to a client is in that client's file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::gate::Gate;
use crate::kafka::KafkaErrorKind;
use crate::time::Clock;

/// A kind of call at the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `Producer::init_transactions`
    Init,
    /// `Producer::begin`
    Begin,
    /// `Producer::send`
    Send,
    /// `Producer::flush`
    Flush,
    /// `Producer::send_offsets`
    SendOffsets,
    /// `Producer::commit`
    Commit,
    /// `Producer::abort`
    Abort,
    /// `Consumer::subscribe`
    Subscribe,
    /// `Consumer::poll`, `Reader::poll`
    Poll,
    /// `Consumer::incremental_assign`, `Reader::assign`
    Assign,
    /// `Consumer::incremental_unassign`
    Unassign,
    /// `Consumer::pause`
    Pause,
    /// `Consumer::resume`
    Resume,
    /// `Consumer::seek`
    Seek,
    /// `Consumer::committed`
    Committed,
    /// `Consumer::commit`, outside a transaction
    CommitOffsets,
    /// `Consumer::group_metadata`
    GroupMetadata,
    /// `Consumer::close`
    Close,
    /// `Reader::watermarks`
    Watermarks,
    /// Any call of an `Admin`, whose client id is `admin`
    Admin,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails and does nothing. A `Timeout` leaves a coordinator's call of a producer doubtful.
    Fail(KafkaErrorKind),
    /// The call does its work and its answer is lost: it fails with this kind, and a producer becomes doubtful.
    FailAfterEffect(KafkaErrorKind),
    /// The call succeeds but was sent twice: the producer becomes doubtful.
    Doubtful,
    /// As `Doubtful`; besides, the first copy of a commit or an abort is still under way and arrives with
    /// [`MemoryCluster::deliver_held`](super::MemoryCluster::deliver_held), to end whatever transaction is open then.
    HeldCopy,
    /// A commit or an abort is decided, no marker is written, and the answer is lost (a timeout). The end is written at the
    /// producer's next `init_transactions`, after the settings' `marker_delay`, or on demand.
    Prepared,
    /// As `Prepared`, but the group's positions are written already: they are visible before the records.
    HalfMarked,
    /// The client dies before the call: this one and every later one fails with `Fatal`; nothing is cleaned up.
    Crash,
    /// The client dies after the call has done its work.
    CrashAfterEffect,
    /// The call takes this long on the cluster's clock.
    Delay(Duration),
}

/// Which call a fault meets: the `number`th of its kind from now on, counted from 1.
///
/// ```
/// use highwater::kafka::memory::{At, Call};
/// let second_commit_of_one_thread = At::from(Call::Commit).number(2).client("app-thread-1");
/// # let _ = second_commit_of_one_thread;
/// ```
#[derive(Clone, Debug)]
pub struct At {
    call: Call,
    number: u64,
    client: Option<String>,
    repeats: bool,
}

/// A call that a client made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which one.
    pub call: Call,
    /// The client's id.
    pub client: String,
}

/// The faults of one cluster. Clones share.
///
/// ```
/// use std::sync::Arc;
/// use highwater::kafka::memory::{At, Call, Fault, MemoryCluster, MemorySettings};
/// use highwater::kafka::{Kafka, KafkaErrorKind};
/// use highwater::time::VirtualClock;
///
/// let cluster = MemoryCluster::new(Arc::new(VirtualClock::default()), MemorySettings::default());
/// cluster.faults().inject(At::from(Call::Admin).number(2), Fault::Fail(KafkaErrorKind::Timeout));
/// let mut admin = cluster.admin()?;
/// let answers = [(); 3].map(|()| admin.brokers(std::time::Duration::ZERO).is_ok());
/// assert_eq!(answers, [true, false, true]);
/// # Ok::<(), highwater::kafka::KafkaError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults {
    book: Arc<Mutex<Book>>,
    /// Whether any call must be looked at; so that a cluster without faults pays nothing.
    watched: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Book {
    orders: Vec<(At, Fault)>,
    trace: Option<Vec<Step>>,
    clients: Vec<(String, Weak<AtomicBool>)>,
}

impl From<Call> for At {
    fn from(call: Call) -> Self {
        Self { call, number: 1, client: None, repeats: false }
    }
}

impl At {
    /// Not the next call, but this one.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.number = number.max(1);
        self
    }

    /// Only calls of clients with this id.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>) -> Self {
        self.client = Some(id.into());
        self
    }

    /// Also all calls after it.
    #[must_use]
    pub fn onwards(mut self) -> Self {
        self.repeats = true;
        self
    }

    fn matches(&self, call: Call, client: &str) -> bool {
        self.call == call && self.client.as_deref().is_none_or(|id| id == client)
    }
}

impl Faults {
    /// Orders a fault.
    pub fn inject(&self, at: impl Into<At>, fault: Fault) {
        self.book().orders.push((at.into(), fault));
        self.watched.store(true, Ordering::Release);
    }

    /// Takes back all faults that have not happened.
    pub fn clear(&self) {
        let mut book = self.book();
        book.orders.clear();
        self.watched.store(book.trace.is_some(), Ordering::Release);
    }

    /// How many ordered faults have not happened yet.
    pub fn pending(&self) -> usize {
        self.book().orders.len()
    }

    /// Kills all living clients whose id starts with this, as if their process died.
    pub fn crash(&self, client_prefix: &str) {
        let book = self.book();
        let doomed = book.clients.iter().filter(|(client, _)| client.starts_with(client_prefix));
        for dead in doomed.filter_map(|(_, dead)| dead.upgrade()) {
            dead.store(true, Ordering::Release);
        }
    }

    /// Starts a new record of calls.
    pub fn trace(&self) {
        self.book().trace = Some(Vec::new());
        self.watched.store(true, Ordering::Release);
    }

    /// The calls since [`Faults::trace`], of all clients.
    pub fn steps(&self) -> Vec<Step> {
        self.book().trace.clone().unwrap_or_default()
    }

    /// The calls of one client since [`Faults::trace`]; the same call many times in a row counts once.
    pub fn calls_of(&self, client: &str) -> Vec<Call> {
        let book = self.book();
        let steps = book.trace.iter().flatten().filter(|step| step.client == client);
        let mut calls: Vec<Call> = steps.map(|step| step.call).collect();
        calls.dedup();
        calls
    }

    /// A new client's gate.
    pub(super) fn gate(&self, client: &str, clock: Arc<dyn Clock>) -> Gate {
        let dead = Arc::new(AtomicBool::new(false));
        let mut book = self.book();
        book.clients.retain(|(_, dead)| dead.strong_count() > 0);
        book.clients.push((client.to_owned(), Arc::downgrade(&dead)));
        Gate::new(self.clone(), client, clock, dead)
    }

    /// Whether any call must be looked at.
    pub(super) fn are_watched(&self) -> bool {
        self.watched.load(Ordering::Acquire)
    }

    /// Notes a call, and tells the fault that was ordered for it.
    pub(super) fn meet(&self, call: Call, client: &str) -> Option<Fault> {
        let mut book = self.book();
        if let Some(trace) = &mut book.trace {
            trace.push(Step { call, client: client.to_owned() });
        }
        let mut met = None;
        for (at, fault) in &mut book.orders {
            if at.matches(call, client) {
                at.number -= 1;
                if at.number == 0 {
                    met = met.or(Some(*fault));
                    at.number = u64::from(at.repeats);
                }
            }
        }
        book.orders.retain(|(at, _)| at.number > 0);
        met
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::VirtualClock;

    fn outcomes(gate: &Gate, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| gate.pass(Call::Commit, || Ok(())).is_ok()).collect()
    }

    #[test]
    fn a_fault_meets_the_call_that_it_was_ordered_for() {
        let fail = Fault::Fail(KafkaErrorKind::Retriable);
        let cases = [
            (At::from(Call::Commit), vec![false, true, true, true]),
            (At::from(Call::Commit).number(3), vec![true, true, false, true]),
            (At::from(Call::Commit).number(2).onwards(), vec![true, false, false, false]),
            (At::from(Call::Commit).client("b"), vec![true, true, true, true]),
            (At::from(Call::Abort), vec![true, true, true, true]),
        ];
        for (at, expected) in cases {
            let faults = Faults::default();
            let gate = faults.gate("a", Arc::new(VirtualClock::default()));
            faults.inject(at.clone(), fail);
            assert_eq!(outcomes(&gate, 4), expected, "{at:?}");
        }
    }

    #[test]
    fn a_crash_kills_one_client_for_good_and_its_successor_lives() {
        let faults = Faults::default();
        let clock: Arc<VirtualClock> = Arc::default();
        let (a, b) = (faults.gate("app-a", clock.clone()), faults.gate("app-b", clock.clone()));
        faults.inject(At::from(Call::Commit).client("app-a"), Fault::CrashAfterEffect);
        assert_eq!(outcomes(&a, 2), [false, false]);
        assert_eq!(outcomes(&b, 2), [true, true]);
        faults.crash("app-");
        assert_eq!(outcomes(&b, 1), [false]);
        assert_eq!(outcomes(&faults.gate("app-b", clock), 1), [true]);
    }

    #[test]
    fn the_trace_tells_calls_in_order_and_repeats_once() {
        let faults = Faults::default();
        let gate = faults.gate("a", Arc::new(VirtualClock::default()));
        outcomes(&gate, 1);
        faults.trace();
        for call in [Call::Init, Call::Send, Call::Send, Call::Commit] {
            gate.pass(call, || Ok(())).unwrap();
        }
        assert_eq!(faults.calls_of("a"), [Call::Init, Call::Send, Call::Commit]);
        assert_eq!(faults.steps().len(), 4);
    }
}
