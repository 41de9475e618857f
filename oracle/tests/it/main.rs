//! Tests of the oracle from outside: each rule by a small example whose rows were computed by hand from the contract, the
//! traffic's coverage, and the comparison's sharpness.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test may")]
#![expect(clippy::needless_pass_by_value, reason = "`json!` is written in place at every call")]

mod clean;
mod compare;
mod customers;
mod hazards;
mod order_facts;
mod payments;
mod records;
mod sessions;
mod traffic;
