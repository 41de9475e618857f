//! A door before a real registry that a test can shut: bytes pass both ways, or connections end at once.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The door, open at first.
pub(crate) struct Gate {
    address: SocketAddr,
    is_open: Arc<AtomicBool>,
}

impl Gate {
    /// A door before `authority` (host and port).
    pub(crate) fn before(authority: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let gate = Self { address: listener.local_addr().expect("it is bound"), is_open: Arc::new(AtomicBool::new(true)) };
        let (is_open, authority) = (Arc::clone(&gate.is_open), authority.to_owned());
        thread::spawn(move || {
            for inside in listener.incoming().flatten() {
                if is_open.load(Ordering::Relaxed) {
                    // What fails here fails for the client too.
                    let _ = TcpStream::connect(&authority).and_then(|outside| join(inside, outside));
                }
            }
        });
        gate
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn shut(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }
}

fn join(inside: TcpStream, outside: TcpStream) -> io::Result<()> {
    let (mut in_reader, mut out_writer) = (inside.try_clone()?, outside.try_clone()?);
    let (mut in_writer, mut out_reader) = (inside, outside);
    thread::spawn(move || io::copy(&mut in_reader, &mut out_writer));
    thread::spawn(move || io::copy(&mut out_reader, &mut in_writer));
    Ok(())
}
