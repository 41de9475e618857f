//! The demo, small: its verdict holds, and notices a guarantee that was broken on purpose.

use shoppulse::demo::{DemoArgs, play};

#[test]
fn the_verdict_of_a_demo_holds_through_its_crash() {
    let verdict = play(&DemoArgs { seconds: 4, rate: 800, sabotage: false }).expect("the demo runs");
    assert!(verdict.holds(), "{verdict}");
    assert!(verdict.to_string().contains("VERDICT: holds."));
}

#[test]
fn the_verdict_of_a_sabotaged_demo_says_that_a_guarantee_is_broken() {
    let verdict = play(&DemoArgs { seconds: 5, rate: 800, sabotage: true }).expect("the demo runs");
    assert!(!verdict.holds(), "{verdict}");
    assert!(verdict.to_string().contains("exactly-once was switched off"));
    assert!(verdict.differences().count() > 0);
}
