//! What a step of each store kind costs, in nanoseconds of this thread's CPU and of the whole process (which adds flushes and
//! compactions). Run it with `cargo run -p highwater-state --example cost -- [ids] [sessions]`; it needs Linux. It measures, it
//! does not judge.
#![expect(clippy::print_stdout, reason = "its output is the result")]

use std::fs;

use highwater_state::{LogPosition, OpenOptions, ResourceLimits, SharedResources, StoreId, StoreKind, StoreSpec, TaskState};

const NOW_MS: i64 = 1_700_000_000_000;
const RECORDS_PER_TRANSACTION: u64 = 5_000;
const STORE: StoreId = StoreId(0);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let ids = arguments.next().transpose()?.unwrap_or(2_000_000);
    let sessions = arguments.next().transpose()?.unwrap_or(500_000);
    for (name, front_bytes) in [("dedup, all in the front", 1_usize << 30), ("dedup, front of 1 MiB", 1 << 20)] {
        dedup(name, ids, front_bytes)?;
    }
    for (name, keys) in [("sessions, hot", 2_000), ("sessions, cold", sessions)] {
        session(name, sessions * 2, keys)?;
    }
    restore(sessions)
}

/// New identities with one repetition in twenty.
fn dedup(name: &str, ids: u64, front_bytes: usize) -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let specs = [StoreSpec::new("ids", StoreKind::Dedup { memory_hours: 25 })];
    let options = OpenOptions { dedup_front_bytes: front_bytes, ..OpenOptions::at(NOW_MS) };
    let mut state = TaskState::open(dir.path(), &specs, &resources(), &options)?;
    let mut random = Random(1);
    let mut recent = [0; 1024];
    let mut seen = 0_u64;
    let cost = measure(name, ids, || {
        for n in 0..ids {
            let id = if n % 20 == 19 { recent[(n * 7 % 1024) as usize] } else { random.next_u128() };
            recent[(n % 1024) as usize] = id;
            state.begin_record();
            if state.dedup_seen(STORE, id)?.is_some() {
                seen += 1;
            } else {
                state.dedup_keep(STORE, id, (n * 25 / ids) as i64)?;
            }
            state.accept_record();
            if n % RECORDS_PER_TRANSACTION == RECORDS_PER_TRANSACTION - 1 {
                commit(&mut state, n as i64)?;
            }
        }
        state.flush()
    })?;
    println!("{cost}, {} repetitions, {:.1} bytes of disk an id", seen, state.disk_bytes() as f64 / ids as f64);
    Ok(state.close()?)
}

/// Find the session of a random key, put it back longer: what an aggregation does.
fn session(name: &str, records: u64, keys: u64) -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let specs = [StoreSpec::new("sessions", StoreKind::Session { retention_ms: 86_400_000 })];
    let mut state = TaskState::open(dir.path(), &specs, &resources(), &OpenOptions::at(NOW_MS))?;
    let mut random = Random(2);
    let mut value = vec![7_u8; 300];
    let cost = measure(name, records, || {
        for n in 0..records {
            let key = ((random.next_u64() % keys).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes();
            let end = n as i64;
            state.begin_record();
            let mut found = None;
            state.session_find(STORE, &key, i64::MIN, i64::MAX, &mut |start, end, _| found = Some((start, end)))?;
            if let Some((start, end)) = found {
                state.session_remove(STORE, &key, start, end)?;
            }
            value[..8].copy_from_slice(&n.to_be_bytes());
            state.session_put(STORE, &key, found.map_or(end, |(start, _)| start), end, &value)?;
            state.accept_record();
            if n % RECORDS_PER_TRANSACTION == RECORDS_PER_TRANSACTION - 1 {
                commit(&mut state, n as i64)?;
            }
        }
        state.flush()
    })?;
    println!("{cost}, {} MB of disk", state.disk_bytes() >> 20);
    Ok(state.close()?)
}

/// Values of 300 bytes by random keys.
fn restore(records: u64) -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let mut state =
        TaskState::open(dir.path(), &[StoreSpec::new("kv", StoreKind::KeyValue)], &resources(), &OpenOptions::at(NOW_MS))?;
    let mut random = Random(3);
    let value: Vec<u8> = (0..300).map(|n| (n % 50) as u8).collect();
    let keys: Vec<[u8; 16]> = (0..records).map(|_| random.next_u128().to_be_bytes()).collect();
    let cost = measure("restore", records, || {
        for (batch, keys) in keys.chunks(10_000).enumerate() {
            let first = batch as i64 * 10_000;
            let mut log = keys.iter().zip(first..).map(|(key, at)| (&key[..], Some(&value[..]), at));
            state.restore(STORE, &mut log, first + keys.len() as i64, [1; 16], NOW_MS)?;
        }
        state.flush()
    })?;
    println!("{cost}");
    Ok(state.close()?)
}

fn commit(state: &mut TaskState, next: i64) -> Result<(), highwater_state::StateError> {
    let mut bytes = 0;
    state.log_changes(&mut |_, key, value| bytes += key.len() + value.map_or(0, <[u8]>::len));
    state.apply(&[(STORE, LogPosition { log_id: [1; 16], next })], NOW_MS)
}

fn resources() -> SharedResources {
    SharedResources::new(&ResourceLimits { block_cache_bytes: 256 << 20, memtable_bytes: 256 << 20, background_threads: 2 })
}

fn measure<E>(name: &str, steps: u64, run: impl FnOnce() -> Result<(), E>) -> Result<String, E> {
    let before = cpu_ns();
    run()?;
    let after = cpu_ns();
    let (thread, process) = ((after.0 - before.0) / steps, (after.1 - before.1) / steps);
    Ok(format!("{name}: {thread} ns thread, {process} ns process, {steps} steps"))
}

/// CPU time of this thread, and of all threads of the process.
fn cpu_ns() -> (u64, u64) {
    let of = |path: &std::path::Path| -> u64 {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0)
    };
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    (of("/proc/thread-self/schedstat".as_ref()), tasks.map(|task| of(&task.path().join("schedstat"))).sum())
}

/// A small generator, since what it gives need only be spread.
struct Random(u64);

impl Random {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn next_u128(&mut self) -> u128 {
        u128::from(self.next_u64()) << 64 | u128::from(self.next_u64())
    }
}
