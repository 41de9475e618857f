//! A schema registry in a thread: the REST calls that clients use, and answers as bad as a test wants them. No compatibility check
//! but one: a schema that holds the word `breaking` is refused.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// The registry's end for a test. It serves until the process ends; [`Double::go_away`] makes it refuse.
#[derive(Clone)]
pub(crate) struct Double {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Schema `n` has the id `n + first_id`.
    schemas: Vec<String>,
    pub(crate) first_id: usize,
    versions: BTreeMap<String, Vec<usize>>,
    pub(crate) compatibility: BTreeMap<String, String>,
    pub(crate) requests: Vec<String>,
    /// Answers every request.
    pub(crate) always: Option<(u16, String)>,
    /// Answers requests of this method.
    pub(crate) to_method: Option<(&'static str, u16, String)>,
    /// Wants a version before a subject's compatibility can be set, as some registries do.
    pub(crate) wants_version_first: bool,
    pub(crate) authorization: Option<String>,
}

impl Double {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { first_id: 1, ..State::default() }));
        let double = Self { address, state };
        let server = double.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                server.serve(stream.unwrap());
            }
        });
        double
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/api", self.address)
    }

    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.lock().unwrap())
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.requests))
    }

    pub(crate) fn go_away(&self) {
        self.with(|state| state.always = Some((503, r#"{"error_code":50303,"message":"shutting down"}"#.to_owned())));
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let (mut length, mut authorization) = (0, None);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => authorization = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let (status, answer) = self.with(|state| {
            state.requests.push(format!("{method} {path}"));
            state.authorization = authorization;
            state.answer(method, path, &serde_json::from_slice(&body).unwrap_or_default())
        });
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
        // A client that has given up is no failure of the double.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.as_bytes()));
    }
}

impl State {
    fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, String) {
        if let Some(answer) = &self.always {
            return answer.clone();
        }
        if let Some((to, status, answer)) = &self.to_method
            && *to == method
        {
            return (*status, answer.clone());
        }
        let path = path.split('?').next().unwrap().strip_prefix("/api/").unwrap();
        let parts: Vec<_> = path.split('/').collect();
        let (status, value) = match (method, parts.as_slice()) {
            ("POST", ["subjects", subject]) => self.find(subject, body["schema"].as_str().unwrap()),
            ("POST", ["subjects", subject, "versions"]) => self.add(subject, body["schema"].as_str().unwrap()),
            ("GET", ["schemas", "ids", id]) => self.schema(id.parse().unwrap()),
            ("GET", ["config", subject]) => match self.compatibility.get(*subject) {
                Some(level) => (200, json!({ "compatibilityLevel": level })),
                None => (404, json!({ "error_code": 40408, "message": "no level of its own" })),
            },
            ("PUT", ["config", subject]) if self.wants_version_first && !self.versions.contains_key(*subject) => {
                (404, json!({ "error_code": 40401, "message": "no such subject" }))
            }
            ("PUT", ["config", subject]) => {
                self.compatibility.insert((*subject).to_owned(), body["compatibility"].as_str().unwrap().to_owned());
                (200, body.clone())
            }
            _ => return (404, "<html>no such page</html>".to_owned()),
        };
        (status, value.to_string())
    }

    fn find(&self, subject: &str, schema: &str) -> (u16, Value) {
        let version = self.versions.get(subject).into_iter().flatten().find(|index| self.schemas[**index] == schema);
        match version {
            Some(index) => (200, json!({ "subject": subject, "version": 1, "id": index + self.first_id, "schema": schema })),
            None => (404, json!({ "error_code": 40403, "message": "no such schema" })),
        }
    }

    fn add(&mut self, subject: &str, schema: &str) -> (u16, Value) {
        if schema.contains("breaking") {
            return (409, json!({ "error_code": 409, "message": "READER_FIELD_MISSING_DEFAULT_VALUE: breaking" }));
        }
        let index = self.schemas.iter().position(|known| known == schema).unwrap_or_else(|| {
            self.schemas.push(schema.to_owned());
            self.schemas.len() - 1
        });
        self.versions.entry(subject.to_owned()).or_default().push(index);
        (200, json!({ "id": index + self.first_id }))
    }

    fn schema(&self, id: usize) -> (u16, Value) {
        match id.checked_sub(self.first_id).and_then(|index| self.schemas.get(index)) {
            Some(schema) => (200, json!({ "schema": schema })),
            None => (404, json!({ "error_code": 40403, "message": "no such schema" })),
        }
    }
}
