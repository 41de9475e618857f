//! The demo, small: its verdict holds, and notices a guarantee that was broken on purpose.

use shoppulse::demo::{DemoArgs, Interrupt, play};

fn small() -> DemoArgs {
    DemoArgs { seconds: 4, rate: 500, sabotage: false, keep_state: false }
}

#[test]
fn the_verdict_of_a_demo_holds_through_its_power_cut() {
    let verdict = play(&small(), &Interrupt::default()).expect("the demo runs");
    assert!(verdict.holds(), "{verdict}");
    assert!(verdict.taken_back() > 0, "the power cut met an open transaction with records in it\n{verdict}");
    let text = verdict.to_string();
    assert!(text.contains("VERDICT: holds."), "{text}");
    assert!(!text.contains('✘'), "{text}");
}

#[test]
fn the_verdict_of_a_sabotaged_demo_says_that_a_guarantee_is_broken() {
    let verdict = play(&DemoArgs { sabotage: true, ..small() }, &Interrupt::default()).expect("the demo runs");
    assert!(!verdict.holds(), "{verdict}");
    let text = verdict.to_string();
    assert!(text.contains("exactly-once was switched off"), "{text}");
    assert!(text.contains("✘ curated.sessions"), "{text}");
    assert!(verdict.differences().any(|difference| difference.starts_with("curated.sessions")), "{text}");
}

#[test]
fn more_traffic_than_fits_into_memory_is_refused_at_once() {
    let refused = play(&DemoArgs { seconds: 600, rate: 20_000, ..small() }, &Interrupt::default()).expect_err("too much");
    assert!(refused.message.contains("lower --seconds or --rate"), "{refused}");
}
