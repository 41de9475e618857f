//! Tests of the oracle from outside: each rule by a small example whose rows were computed by hand from the contract, the
//! traffic's coverage, and the comparison's sharpness.

mod clean;
mod compare;
mod customers;
mod order_facts;
mod payments;
mod records;
mod sessions;
mod traffic;
