//! `raw.payments`: the lines of payment exports, their versions, and which of them count (rule 42).

use std::collections::{BTreeMap, VecDeque};

use crate::input::{InputRecord, Placed};
use crate::json::{self, Object};
use crate::money;
use crate::reason::{Problems, Reason, Verdict};
use crate::time;

/// The topic that is read.
pub(crate) const TOPIC: &str = "raw.payments";
const PROVIDERS: [&str; 2] = ["stripe", "adyen"];
const KINDS: [&str; 8] = ["charge", "refund", "dispute", "dispute_reversal", "fee", "payout", "adjustment", "other"];
/// How many versions of a line are remembered, the one that counts among them.
const REMEMBERED_VERSIONS: usize = 8;

/// The content of a line: all that makes a version, so without file and line number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) shop_id: String,
    pub(crate) provider: String,
    pub(crate) id: String,
    pub(crate) order_id: Option<String>,
    pub(crate) kind: String,
    pub(crate) currency: String,
    pub(crate) gross_minor: i64,
    pub(crate) fee_minor: i64,
    pub(crate) net_minor: i64,
    pub(crate) occurred_at: i64,
    available_on: Option<i64>,
}

/// All lines seen so far, each with its latest versions, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeMap<(String, String, String), VecDeque<Line>>);

impl Lines {
    /// Takes in a record in partition order and says what became of it.
    pub(crate) fn arrive(&mut self, placed: &Placed<'_>) -> Verdict {
        match read(placed.record) {
            Ok(line) => self.add(line),
            Err(reason) => Verdict::DeadLettered(reason),
        }
    }

    fn add(&mut self, line: Line) -> Verdict {
        let identity = (line.shop_id.clone(), line.provider.clone(), line.id.clone());
        let versions = self.0.entry(identity).or_default();
        if versions.contains(&line) {
            return Verdict::Duplicate("line_id");
        }
        let first = versions.is_empty();
        let has_order = line.order_id.is_some();
        versions.push_back(line);
        if versions.len() > REMEMBERED_VERSIONS {
            versions.pop_front();
        }
        match (has_order, first) {
            (false, _) => Verdict::Filtered("no_order"),
            (true, true) => Verdict::Processed(""),
            (true, false) => Verdict::Processed("corrected"),
        }
    }

    /// The lines that count, by shop and order.
    pub(crate) fn by_order(self) -> BTreeMap<(String, String), Vec<Line>> {
        let mut orders: BTreeMap<(String, String), Vec<Line>> = BTreeMap::new();
        for line in self.0.into_values().filter_map(|mut versions| versions.pop_back()) {
            if let Some(order_id) = line.order_id.clone() {
                orders.entry((line.shop_id.clone(), order_id)).or_default().push(line);
            }
        }
        orders
    }
}

fn read(record: &InputRecord) -> Result<Line, Reason> {
    let key = record.key.as_deref().filter(|key| !key.is_empty()).ok_or(Reason::BadKey)?;
    let key = std::str::from_utf8(key).map_err(|_| Reason::BadKey)?;
    let object = Object::read(record.value.as_deref())?;
    let mut fields = Fields { object: &object, problems: Problems::default() };
    let line = Line {
        shop_id: fields.required("shop_id"),
        provider: fields.required("provider"),
        id: fields.required("line_id"),
        order_id: fields.text("order_id"),
        kind: fields.required("kind"),
        currency: fields.required("currency"),
        gross_minor: fields.amount("gross_minor"),
        fee_minor: fields.amount("fee_minor"),
        net_minor: fields.amount("net_minor"),
        occurred_at: fields.required_instant("occurred_at"),
        available_on: fields.instant("available_on"),
    };
    fields.text("file");
    fields.whole_number("line_number");
    let problems = &mut fields.problems;
    problems.note_if(!PROVIDERS.contains(&line.provider.as_str()), Reason::BadValue);
    problems.note_if(!KINDS.contains(&line.kind.as_str()), Reason::BadValue);
    problems.note_if(money::exponent(&line.currency).is_none(), Reason::UnknownCurrency);
    problems.note_if(key != format!("{}|{}:{}", line.shop_id, line.provider, line.id), Reason::KeyMismatch);
    problems.first()?;
    Ok(line)
}

/// The fields of a line, and what is wrong with them.
struct Fields<'o, 'a> {
    object: &'o Object<'a>,
    problems: Problems,
}

impl Fields<'_, '_> {
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

    fn whole_number(&mut self, name: &str) -> Option<&str> {
        let raw = self.object.get(name)?;
        let number = json::whole_number(raw);
        self.problems.note_if(number.is_none(), Reason::WrongType);
        number
    }

    fn amount(&mut self, name: &str) -> i64 {
        self.problems.note_if(self.object.get(name).is_none(), Reason::MissingField);
        let number = self.whole_number(name).map(str::parse);
        self.problems.note_if(matches!(number, Some(Err(_))), Reason::BadValue);
        number.and_then(Result::ok).unwrap_or_default()
    }

    fn instant(&mut self, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        let micros = time::parse(&text);
        self.problems.note_if(micros.is_none(), Reason::BadTimestamp);
        micros
    }

    fn required_instant(&mut self, name: &str) -> i64 {
        let text = self.required(name);
        let micros = time::parse(&text);
        self.problems.note_if(micros.is_none(), Reason::BadTimestamp);
        micros.unwrap_or_default()
    }
}
