//! Records of `raw.events` for tests: a valid one, with changes.

/// A record's value whose members can be replaced, added and removed.
#[derive(Debug, Clone)]
pub(super) struct Json(Vec<(String, String)>);

impl Json {
    /// A valid `track` call of shop `s1` and visitor `a7`, received at ten o'clock.
    pub(super) fn track(event: &str) -> Self {
        Self::of("track").with("event", &format!("{event:?}"))
    }

    /// A valid call of any other type.
    pub(super) fn of(kind: &str) -> Self {
        Self(Vec::new())
            .with("type", &format!("{kind:?}"))
            .with("messageId", "\"m-1\"")
            .with("shopId", "\"s1\"")
            .with("writeKey", "\"w\"")
            .with("anonymousId", "\"a7\"")
            .with("receivedAt", "\"2026-08-21T10:00:00Z\"")
    }

    /// Sets a member to raw JSON, in its place or at the end.
    pub(super) fn with(mut self, name: &str, raw: &str) -> Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => raw.clone_into(value),
            None => self.0.push((name.to_owned(), raw.to_owned())),
        }
        self
    }

    /// Adds a member even if there is one of that name.
    pub(super) fn repeated(mut self, name: &str, raw: &str) -> Self {
        self.0.push((name.to_owned(), raw.to_owned()));
        self
    }

    /// Takes a member away.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    pub(super) fn text(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}
