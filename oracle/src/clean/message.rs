//! One SDK message: is it valid, and when did it happen (rules 1–6 and 15–21).

use crate::input::InputRecord;
use crate::json::{self, Object};
use crate::reason::{Problems, Reason};
use crate::time::{self, MILLI_MICROS};

const TYPES: [&str; 6] = ["track", "identify", "page", "screen", "group", "alias"];
const MAX_FUTURE_MICROS: i64 = 5 * 60 * 1_000_000;

/// A valid message.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) key: &'a str,
    pub(crate) visitor: &'a str,
    pub(crate) id: String,
    pub(crate) shop_id: String,
    pub(crate) write_key: String,
    pub(crate) kind: String,
    pub(crate) event: Option<String>,
    pub(crate) anonymous_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) occurred_ms: i64,
    pub(crate) original_micros: i64,
    pub(crate) sent_micros: Option<i64>,
    pub(crate) received_micros: i64,
    pub(crate) properties: Option<&'a str>,
    pub(crate) context: Object<'a>,
    /// The address that a collector saw.
    pub(crate) client_ip: Option<String>,
}

impl<'a> Message<'a> {
    /// Validates a record of `raw.events`.
    pub(crate) fn read(record: &'a InputRecord) -> Result<Self, Reason> {
        let key = record.key.as_deref().filter(|key| !key.is_empty()).ok_or(Reason::BadKey)?;
        let key = std::str::from_utf8(key).map_err(|_| Reason::BadKey)?;
        let object = Object::read(record.value.as_deref())?;
        let mut fields = Fields { object: &object, problems: Problems::default() };
        let fields = &mut fields;

        let kind = fields.required("type");
        let message_id = fields.required("messageId");
        let shop_id = fields.required("shopId");
        let write_key = fields.required("writeKey");
        let event = fields.text("event");
        let anonymous_id = fields.id("anonymousId");
        let user_id = fields.id("userId");
        let properties = fields.object("properties");
        let context = fields.object("context");
        fields.problems.note_if(anonymous_id.is_none() && user_id.is_none(), Reason::MissingField);
        fields.problems.note_if(kind == "track" && event.is_none(), Reason::MissingField);
        fields.problems.note_if(!TYPES.contains(&kind.as_str()), Reason::UnknownType);

        let times = fields.times();
        let visitor = key.strip_prefix(&shop_id).and_then(|rest| rest.strip_prefix('|')).unwrap_or("");
        let other_visitor = anonymous_id.as_ref().is_some_and(|id| id != visitor);
        fields.problems.note_if(visitor.is_empty() || other_visitor, Reason::KeyMismatch);
        fields.problems.first()?;
        let times = times.ok_or(Reason::BadTimestamp)?;
        Ok(Self {
            key,
            visitor,
            id: message_id,
            shop_id,
            write_key,
            kind,
            event,
            anonymous_id,
            user_id,
            occurred_ms: times.occurred_ms,
            original_micros: times.original_micros,
            sent_micros: times.sent_micros,
            received_micros: times.received_micros,
            properties,
            context: context.and_then(Object::nested).unwrap_or_default(),
            client_ip: object.text("clientIp"),
        })
    }
}

/// The instants of a message.
#[derive(Debug)]
struct Times {
    occurred_ms: i64,
    original_micros: i64,
    sent_micros: Option<i64>,
    received_micros: i64,
}

/// The top-level fields of a message, and what is wrong with them.
struct Fields<'o, 'a> {
    object: &'o Object<'a>,
    problems: Problems,
}

impl<'a> Fields<'_, 'a> {
    /// A string; the empty one is absent, another type is wrong.
    fn text(&mut self, name: &str) -> Option<String> {
        let raw = self.object.get(name)?;
        self.problems.note_if(!json::is_string(raw), Reason::WrongType);
        json::string(raw).filter(|text| !text.is_empty())
    }

    fn required(&mut self, name: &str) -> String {
        let text = self.text(name);
        self.problems.note_if(text.is_none(), Reason::MissingField);
        text.unwrap_or_default()
    }

    /// A string, or a whole number that counts as its digits.
    fn id(&mut self, name: &str) -> Option<String> {
        match json::whole_number(self.object.get(name)?) {
            Some(digits) => Some(digits.to_owned()),
            None => self.text(name),
        }
    }

    fn object(&mut self, name: &str) -> Option<&'a str> {
        let raw = self.object.get(name)?;
        self.problems.note_if(!raw.starts_with('{'), Reason::WrongType);
        Some(raw)
    }

    fn instant(&mut self, text: &str) -> Option<i64> {
        let micros = time::parse(text);
        self.problems.note_if(micros.is_none(), Reason::BadTimestamp);
        micros
    }

    /// Rules 1 to 3. Types and presence are noted for all fields, the form only of those that count.
    fn times(&mut self) -> Option<Times> {
        let received = self.required("receivedAt");
        let sent = self.text("sentAt");
        let original = self.text("originalTimestamp");
        let timestamp = self.text("timestamp");

        let received_micros = self.instant(&received);
        let sent_micros = sent.as_deref().map(|text| self.instant(text));
        let client_micros = original.or(timestamp).map(|text| self.instant(&text));
        let received_micros = received_micros?;
        let sent_micros = match sent_micros {
            Some(micros) => Some(micros?),
            None => None,
        };
        let client_micros = match client_micros {
            Some(micros) => Some(micros?),
            None => None,
        };

        let corrected_micros = match (client_micros, sent_micros) {
            (None, _) => received_micros,
            (Some(client), None) => client,
            (Some(client), Some(sent)) => received_micros - (sent - client),
        };
        let occurred_ms = corrected_micros.min(received_micros).div_euclid(MILLI_MICROS);
        self.problems.note_if(occurred_ms < 0, Reason::BadTimestamp);
        self.problems.note_if(corrected_micros > received_micros + MAX_FUTURE_MICROS, Reason::FutureTimestamp);
        Some(Times { occurred_ms, original_micros: client_micros.unwrap_or(received_micros), sent_micros, received_micros })
    }
}
