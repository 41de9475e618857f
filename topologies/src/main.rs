//! The `shoppulse` binary: everything it does is in the library.

use std::process::ExitCode;

/// Serves RocksDB and librdkafka too. They and the engine share blocks of a few sizes between threads that come and go.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    shoppulse::cli::main()
}
