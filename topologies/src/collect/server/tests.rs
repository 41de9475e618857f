//! Real connections: TLS, and the end, which answers what is under way and takes nothing new. The certificate beside this is for tests
//! alone; its key is no secret.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use axum::routing::{get, post};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;

const REQUEST: &[u8] = b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n";
const WITHIN: Duration = Duration::from_secs(20);

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collect/server").join(name)
}

fn start(certificate: Option<Arc<Certificate>>, connections_max: usize, read_timeout: Duration) -> Server {
    let settings = ServerSettings { listen: "127.0.0.1:0".to_owned(), threads: 1, connections_max, read_timeout };
    let router = Router::new().route("/hello", get(async || "hello")).route("/echo", post(async |body: String| body));
    Server::start(&settings, router, certificate, async { Ok(()) }).unwrap()
}

fn connect(server: &Server) -> std::net::TcpStream {
    let stream = std::net::TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    stream
}

/// What comes until `end` has come, or the connection is closed.
fn read_to(stream: &mut std::net::TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.ends_with(end) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => text.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}, after {text:?}"),
        }
    }
    text
}

#[test]
fn who_trusts_the_certificate_is_served_and_who_speaks_plainly_is_not() {
    let certificate = Arc::new(Certificate::open(path("certificate.pem"), path("key.pem")).unwrap());
    let server = start(Some(certificate), 10, WITHIN);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path("certificate.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        let mut buffer = vec![0; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    });
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("hello"), "{text}");
    let mut plain = connect(&server);
    plain.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP"), "it is no page: {answer:?}");
}

#[test]
fn a_certificate_that_was_replaced_is_offered_from_then_on_and_a_broken_one_never() {
    let dir = tempfile::tempdir().unwrap();
    let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    std::fs::copy(path("key.pem"), &key).unwrap();
    assert!(Certificate::open(chain.clone(), key.clone()).unwrap_err().contains("chain.pem"), "there is none");
    std::fs::copy(path("certificate.pem"), &chain).unwrap();
    let certificate = Certificate::open(chain.clone(), key).unwrap();
    let first = certificate.config();
    assert_eq!(certificate.refresh(), Ok(false));
    let later = |seconds: u64| std::time::UNIX_EPOCH + Duration::from_secs(2_000_000_000 + seconds);
    let write = |text: &[u8], seconds| {
        std::fs::write(&chain, text).unwrap();
        std::fs::File::options().write(true).open(&chain).unwrap().set_modified(later(seconds)).unwrap();
    };
    write(b"", 1);
    assert!(certificate.refresh().is_err());
    assert!(Arc::ptr_eq(&first, &certificate.config()), "the former one is offered");
    write(&std::fs::read(path("certificate.pem")).unwrap(), 2);
    assert_eq!(certificate.refresh(), Ok(true));
    assert!(!Arc::ptr_eq(&first, &certificate.config()));
}

#[test]
fn an_end_answers_what_is_under_way_and_takes_nothing_new() {
    let server = start(None, 10, WITHIN);
    let address = server.address();
    let mut idle = connect(&server);
    idle.write_all(REQUEST).unwrap();
    assert!(read_to(&mut idle, "hello").starts_with("HTTP/1.1 200"));
    let mut under_way = connect(&server);
    under_way.write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").unwrap();
    assert!(read_to(&mut under_way, "\r\n\r\n").starts_with("HTTP/1.1 100"), "its handler waits for the body");
    let ending = std::thread::spawn(move || server.end(WITHIN));
    assert_eq!(read_to(&mut idle, "never"), "", "an idle connection is closed");
    under_way.write_all(b"done").unwrap();
    assert!(read_to(&mut under_way, "done").ends_with("done"), "it is answered");
    assert!(ending.join().unwrap(), "everything was answered");
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn what_does_not_come_in_time_is_closed_and_gives_its_place_to_others() {
    let server = start(None, 1, Duration::from_millis(200));
    let mut slow = connect(&server);
    slow.write_all(b"GET /hello HTTP/1.1\r\nx: ").unwrap();
    // The only place is taken; the other's comes when the slow one is closed.
    let mut other = connect(&server);
    other.write_all(REQUEST).unwrap();
    assert!(read_to(&mut other, "hello").starts_with("HTTP/1.1 200"));
    assert!(!read_to(&mut slow, "never").contains("200"));
    drop(other);
    assert!(server.end(WITHIN));
}
