//! Loads on an embedded cluster: what a reader of committed records sees is the same, whatever call of a load fails or is its last.

use std::fmt::Write as _;
use std::io::Cursor;
use std::sync::Arc;

use highwater::kafka::memory::{At, Call, Fault, MemoryCluster, MemorySettings};
use highwater::time::VirtualClock;

use super::*;
use crate::exports::Zones;
use crate::payments::{Provider, read};

const PARTITIONS: Partitions = Partitions { payments: 3, dead_letters: 2, loads: 2 };
const FINAL: Duration = Duration::ZERO;
const PATIENT: Duration = Duration::from_mins(5);

struct TestFile(String);

impl Export for TestFile {
    fn name(&self) -> &'static str {
        "report.csv"
    }

    fn location(&self) -> &'static str {
        "/exports/report.csv"
    }

    fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(Cursor::new(self.0.as_bytes())))
    }
}

/// Seven lines, one of them bad, in an order of columns that no report has.
fn stripe() -> TestFile {
    let mut file =
        "net,gross,fee,currency,created_utc,reporting_category,balance_transaction_id,payment_metadata[order_id]\r\n".to_owned();
    for number in 1..=7 {
        let gross = if number == 4 { "much".to_owned() } else { format!("{number}.00") };
        write!(file, "{number}.00,{gross},0,EUR,2026-02-01 00:00:0{number},charge,txn_{number},{number}\r\n").unwrap();
    }
    TestFile(file)
}

fn settings(give_up_after: Duration) -> LoadSettings {
    LoadSettings {
        application_id: "app".to_owned(),
        shop_id: "s".to_owned(),
        layout: Layout {
            provider: Provider::Stripe,
            order_columns: vec!["payment_metadata[order_id]".to_owned()],
            time_zone: "UTC".to_owned(),
            zones: Zones::default(),
        },
        chunk_lines: 2,
        request_timeout: Duration::from_secs(5),
        transaction_timeout: Duration::from_secs(10),
        give_up_after,
        reload: false,
    }
}

struct World {
    clock: Arc<VirtualClock>,
    cluster: MemoryCluster,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(VirtualClock::starting_at(Timestamp::from_millis(1_770_000_000_000)));
        let cluster = MemoryCluster::new(clock.clone(), MemorySettings::default());
        cluster.create_topic(topics::RAW_PAYMENTS, PARTITIONS.payments).unwrap();
        cluster.create_topic(topics::DEAD_LETTERS, PARTITIONS.dead_letters).unwrap();
        cluster.create_topic(topics::LOADS, PARTITIONS.loads).unwrap();
        Self { clock, cluster }
    }

    fn load_with(&self, settings: &LoadSettings, file: &TestFile) -> Result<Loaded, LoadError> {
        Loader::new(&self.cluster, &*self.clock, settings, PARTITIONS).load(file)
    }

    fn load(&self, file: &TestFile) -> Result<Loaded, LoadError> {
        self.load_with(&settings(FINAL), file)
    }

    /// All that a reader of committed records sees: lines and dead letters, and the last mark.
    fn committed(&self) -> (Vec<String>, Vec<String>, Option<Progress>) {
        let payments = self.cluster.read_committed(topics::RAW_PAYMENTS);
        let mut lines: Vec<String> = payments.iter().map(|line| format!("{} {}", line.key_text(), line.value_text())).collect();
        lines.sort();
        let letters = self.cluster.read_committed(topics::DEAD_LETTERS);
        let letters = letters.iter().map(|letter| {
            let header = |name: &str| {
                let value = letter.record.headers.last(name).and_then(|header| header.value.clone());
                String::from_utf8(value.unwrap_or_default().to_vec()).unwrap()
            };
            let names = ["dlq.topic", "dlq.partition", "dlq.offset", "dlq.reason", "dlq.topology"];
            format!("{} {}", names.map(header).join(" "), letter.value_text())
        });
        let marks = self.cluster.read_committed(topics::LOADS);
        let mark = marks.last().map(|mark| serde_json::from_str(mark.value_text()).unwrap());
        (lines, letters.collect(), mark)
    }
}

fn without_times(mut mark: Progress) -> Progress {
    (mark.began_at, mark.loaded_at) = (String::new(), String::new());
    mark
}

/// As it is when nothing goes wrong.
fn undisturbed() -> (Vec<String>, Vec<String>, Progress) {
    let world = World::new();
    world.load(&stripe()).unwrap();
    let (lines, letters, mark) = world.committed();
    (lines, letters, without_times(mark.unwrap()))
}

#[test]
fn lines_dead_letters_and_the_mark_are_what_the_contract_says() {
    let world = World::new();
    let loaded = world.load(&stripe()).unwrap();
    assert_eq!((loaded.start, loaded.written, loaded.tally.sound(), loaded.tally.rejected()), (Start::New, 7, 6, 1));
    let (lines, letters, mark) = world.committed();
    let expected = "s|stripe:txn_1 {\"shop_id\":\"s\",\"provider\":\"stripe\",\"line_id\":\"txn_1\",\"order_id\":\"1\",\"kind\":\"charge\",\
                    \"currency\":\"EUR\",\"gross_minor\":100,\"fee_minor\":0,\"net_minor\":100,\"occurred_at\":\"2026-02-01T00:00:01Z\",\
                    \"available_on\":null,\"file\":\"report.csv\",\"line_number\":2}";
    assert_eq!((lines.len(), lines[0].as_str()), (6, expected));
    for record in world.cluster.read_committed(topics::RAW_PAYMENTS) {
        read(record.record.key.as_deref(), record.record.value.as_deref()).expect("the topology reads what was loaded");
        assert_eq!(record.timestamp, world.clock.now(), "the time of loading");
    }
    assert_eq!(letters, ["report.csv -1 5 bad_value load-payments 4.00,much,0,EUR,2026-02-01 00:00:04,charge,txn_4,4"]);
    let mark = mark.unwrap();
    assert_eq!((mark.position, mark.line_number, mark.is_complete), (stripe().0.len() as u64, 8, true));
    assert_eq!((mark.lines, mark.dead_letters, &*mark.file), (6, 1, "/exports/report.csv"));
}

#[test]
fn a_file_that_was_loaded_changes_nothing_when_it_comes_again() {
    let world = World::new();
    world.load(&stripe()).unwrap();
    let ends = |world: &World| {
        [topics::RAW_PAYMENTS, topics::DEAD_LETTERS, topics::LOADS].map(|topic| world.cluster.read_committed(topic).len())
    };
    let before = ends(&world);
    let again = world.load(&stripe()).unwrap();
    assert_eq!((again.start, again.written, again.tally.total()), (Start::Unchanged, 0, 7));
    assert_eq!(ends(&world), before);
}

#[test]
fn a_file_is_told_apart_from_the_one_that_was_loaded() {
    let whole = stripe().0;
    let cut = TestFile(whole[..whole.len() - 30].to_owned());
    let grown = TestFile(format!("{whole}8,8,0,EUR,2026-02-01 00:00:08,charge,txn_8,8\r\n"));
    let changed = TestFile(whole.replace("txn_2,2", "txn_2,9"));
    for (file, outcome) in
        [(&cut, Err("it is truncated")), (&grown, Ok((Start::Continued, 1))), (&changed, Ok((Start::Changed, 7)))]
    {
        let world = World::new();
        world.load(&stripe()).unwrap();
        let before = world.committed().0.len();
        match (world.load(file), outcome) {
            (Ok(loaded), Ok((start, written))) => assert_eq!((loaded.start, loaded.written), (start, written)),
            (Err(LoadError::File(why)), Err(part)) => {
                assert!(why.contains(part), "{part} is in {why}");
                assert_eq!(world.committed().0.len(), before, "nothing was written");
            }
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }
    let world = World::new();
    world.load(&stripe()).unwrap();
    world.clock.advance(Duration::from_secs(1));
    let reload = LoadSettings { reload: true, ..settings(FINAL) };
    let loaded = world.load_with(&reload, &cut).unwrap();
    assert_eq!((loaded.start, loaded.written), (Start::Reloaded, 7));
}

#[test]
fn a_load_that_dies_at_any_call_goes_on_to_the_same_end() {
    let expected = undisturbed();
    let mut deaths = 0;
    for call in [Call::Init, Call::Begin, Call::Send, Call::Commit, Call::Watermarks, Call::Assign, Call::Poll] {
        for fault in [Fault::Crash, Fault::CrashAfterEffect] {
            for number in 1..=12 {
                let world = World::new();
                world.cluster.faults().inject(At::from(call).number(number).client(CLIENT_ID), fault);
                if world.load(&stripe()).is_ok() {
                    break;
                }
                deaths += 1;
                world.clock.advance(Duration::from_secs(1));
                let loaded = world.load(&stripe()).unwrap();
                assert!(matches!(loaded.start, Start::New | Start::Continued | Start::Unchanged), "{:?}", loaded.start);
                let (lines, letters, mark) = world.committed();
                let seen = (lines, letters, without_times(mark.unwrap()));
                assert_eq!(seen, expected, "{fault:?} at {call:?} number {number}");
            }
        }
    }
    assert!(deaths > 30, "loads died at all: {deaths}");
}

#[test]
fn a_load_in_doubt_asks_the_cluster_and_goes_on_by_itself() {
    let expected = undisturbed();
    for call in [Call::Init, Call::Begin, Call::Send, Call::Commit, Call::Poll] {
        let timeout = KafkaErrorKind::Timeout;
        let mut faults = vec![Fault::Fail(timeout), Fault::FailAfterEffect(timeout), Fault::Fail(KafkaErrorKind::Abortable)];
        if call == Call::Commit {
            faults.extend([Fault::Doubtful, Fault::Prepared, Fault::HeldCopy]);
        }
        for fault in faults {
            for number in 1..=4 {
                let world = World::new();
                world.cluster.faults().inject(At::from(call).number(number).client(CLIENT_ID), fault);
                let loaded = world.load_with(&settings(PATIENT), &stripe()).unwrap();
                world.cluster.deliver_held();
                assert_eq!((loaded.start, loaded.written), (Start::New, 7), "{fault:?} at {call:?} number {number}");
                let (lines, letters, mark) = world.committed();
                assert_eq!((lines, letters, without_times(mark.unwrap())), expected, "{fault:?} at {call:?} number {number}");
            }
        }
    }
}

#[test]
fn a_reload_in_doubt_goes_on_and_does_not_begin_again() {
    for fault in [Fault::FailAfterEffect(KafkaErrorKind::Timeout), Fault::Fail(KafkaErrorKind::Timeout)] {
        let world = World::new();
        world.load(&stripe()).unwrap();
        world.clock.advance(Duration::from_secs(1));
        world.cluster.faults().inject(At::from(Call::Commit).number(2).client(CLIENT_ID), fault);
        let reload = LoadSettings { reload: true, ..settings(PATIENT) };
        let loaded = world.load_with(&reload, &stripe()).unwrap();
        assert_eq!((loaded.start, loaded.written), (Start::Reloaded, 7), "{fault:?}");
        assert_eq!(world.committed().0.len(), 12, "each sound line twice, and none a third time: {fault:?}");
    }
}

#[test]
fn a_load_that_another_one_took_over_writes_nothing_more() {
    let world = World::new();
    world.cluster.faults().inject(At::from(Call::Commit).number(2).client(CLIENT_ID), Fault::Fail(KafkaErrorKind::Fenced));
    let error = world.load_with(&settings(PATIENT), &stripe()).unwrap_err();
    assert!(matches!(&error, LoadError::Kafka(error) if error.kind == KafkaErrorKind::Fenced), "{error}");
    assert_eq!(world.committed().0.len(), 2, "one chunk was committed before");
}

#[test]
fn the_sums_of_a_batch_span_a_load_that_goes_on_in_the_middle() {
    let header = super::super::adyen::REQUIRED.join(",");
    let line = |line_type: &str, psp: &str, debit: &str, credit: &str| {
        format!("M,{psp},2026-02-01 00:00:00,CET,{line_type},,,,,EUR,{debit},{credit},1\n")
    };
    let lines: String = (1..=5).map(|number| line("Settled", &format!("psp{number}"), "", "2.00")).collect();
    for (payout, mismatches) in [("10.00", 0), ("9.99", 1)] {
        let file = TestFile(format!("{header}\n{lines}{}", line("MerchantPayout", "", payout, "")));
        let world = World::new();
        let mut settings = settings(FINAL);
        settings.layout.provider = Provider::Adyen;
        world.cluster.faults().inject(At::from(Call::Commit).number(2).client(CLIENT_ID), Fault::CrashAfterEffect);
        world.load_with(&settings, &file).unwrap_err();
        let loaded = world.load_with(&settings, &file).unwrap();
        assert_eq!((loaded.start, loaded.written, loaded.mismatches.len()), (Start::Continued, 2, mismatches), "{payout}");
        let again = world.load_with(&settings, &file).unwrap();
        assert_eq!((again.start, again.mismatches.len()), (Start::Unchanged, mismatches), "it is told each time");
    }
}
