//! A JSON object as it is being made up: members in order, each value as its exact text.

use std::fmt::{Display, Write};

/// Names and the texts of their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members(Vec<(String, String)>);

impl Members {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sets a member to a text that is JSON, in its old place or at the end.
    pub(crate) fn set(&mut self, name: &str, raw: impl Into<String>) -> &mut Self {
        let raw = raw.into();
        match self.0.iter_mut().find(|(member, _)| member == name) {
            Some((_, value)) => *value = raw,
            None => self.0.push((name.to_owned(), raw)),
        }
        self
    }

    /// Sets a member to a string.
    pub(crate) fn set_text(&mut self, name: &str, text: &str) -> &mut Self {
        self.set(name, quoted(text))
    }

    /// Sets a member to a number, a flag, or whatever else prints as JSON.
    pub(crate) fn set_plain(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.set(name, value.to_string())
    }

    /// Adds a member even if there is one of this name.
    pub(crate) fn repeat(&mut self, name: &str, raw: &str) -> &mut Self {
        self.0.push((name.to_owned(), raw.to_owned()));
        self
    }

    pub(crate) fn remove(&mut self, name: &str) -> &mut Self {
        self.0.retain(|(member, _)| member != name);
        self
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(member, _)| member == name).map_or("null", |(_, raw)| raw)
    }

    /// The object's text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(self.0.iter().map(|(name, raw)| name.len() + raw.len() + 4).sum::<usize>() + 2);
        for (index, (name, raw)) in self.0.iter().enumerate() {
            let opening = if index == 0 { '{' } else { ',' };
            // Names are plain words here; writing to a string can't fail.
            let _ = write!(text, "{opening}\"{name}\":{raw}");
        }
        text.push_str(if self.0.is_empty() { "{}" } else { "}" });
        text
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.text().into_bytes()
    }
}

/// A string as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_text() {
        let mut members = Members::new();
        assert_eq!(members.text(), "{}");
        members.set_text("a", "x\"y").set_plain("b", 1).set("c", "1.50").set("b", "2").remove("a").repeat("c", "null");
        assert_eq!(members.text(), r#"{"b":2,"c":1.50,"c":null}"#);
    }
}
