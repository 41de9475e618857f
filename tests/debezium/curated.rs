//! Rows of a curated topic, and of a query that says what they must be, made comparable.

use std::collections::BTreeMap;

use serde_json::Value;

/// The engine's own columns, of which a database knows nothing.
const OWN_COLUMNS: [&str; 2] = ["row_version", "processed_at"];
const SHOWN_DIFFERENCES: usize = 15;

/// Rows by shop, id, and, in the history, the start of the version.
#[derive(Debug, Default)]
pub(crate) struct Curated(BTreeMap<(String, String, Option<i64>), Value>);

impl Curated {
    /// What a query printed: one object a line.
    pub(crate) fn of_query(printed: &str) -> Self {
        let rows = printed.lines().map(|line| serde_json::from_str(line).expect("a row of the query is JSON"));
        Self(rows.map(|row: Value| ((text(&row, "shop_id"), id(&row), None), row)).collect())
    }

    /// What `tail` printed of a topic: the last row of each key, and none where that is deleted. The named columns are left out.
    pub(crate) fn of_tail(printed: &str, left_out: &[&str]) -> Self {
        let mut rows = BTreeMap::new();
        for line in printed.lines() {
            let record: Value = serde_json::from_str(line).expect("a line of `tail` is JSON");
            let key = (text(&record["key"], "shop_id"), id(&record["key"]), record["key"]["valid_from"].as_i64());
            let mut row = record["value"].clone();
            if row.is_null() || row["is_deleted"] == true {
                rows.remove(&key);
                continue;
            }
            for column in left_out.iter().chain(&OWN_COLUMNS) {
                row.as_object_mut().expect("a row is an object").remove(*column);
            }
            rows.insert(key, row);
        }
        Self(rows)
    }

    /// Of a history, the versions that hold, as if they were rows of customers.
    pub(crate) fn current_versions(&self) -> Self {
        let mut current = BTreeMap::new();
        for ((shop, id, _), row) in &self.0 {
            let mut row = row.clone();
            let is_current = row.as_object_mut().and_then(|row| row.remove("is_current"));
            if is_current == Some(Value::Bool(true)) {
                // Two versions that hold are one too many: the second is kept under a key that no query has.
                let place = current.contains_key(&(shop.clone(), id.clone(), None)).then_some(0);
                current.insert((shop.clone(), id.clone(), place), row);
            }
        }
        Self(current)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How the actual rows differ, for a person: how many do, and the first of them, those that are wanted and wrong before those too many.
    pub(crate) fn differences(&self, actual: &Self, what: &str) -> Vec<String> {
        let of_expected = self.0.iter().filter_map(|(key, row)| match actual.0.get(key) {
            Some(found) if found == row => None,
            found => {
                Some(format!("{key:?}: expected {}\n  found {}", short(row), found.map_or_else(|| "none".to_owned(), short)))
            }
        });
        let too_many = actual.0.iter().filter(|(key, _)| !self.0.contains_key(*key));
        let differences: Vec<String> =
            of_expected.chain(too_many.map(|(key, row)| format!("{key:?}: too many: {}", short(row)))).collect();
        if differences.is_empty() {
            return differences;
        }
        let count = format!("{} of {} {what} differ:", differences.len(), self.0.len());
        std::iter::once(count).chain(differences.into_iter().take(SHOWN_DIFFERENCES)).collect()
    }
}

/// How many records the books call duplicates, by the last count of each key.
pub(crate) fn repetitions(printed: &str) -> i64 {
    let mut counts = BTreeMap::new();
    for line in printed.lines() {
        let record: Value = serde_json::from_str(line).expect("a line of `tail` is JSON");
        if record["value"]["outcome"] == "duplicate" {
            counts.insert(record["key"].to_string(), record["value"]["count"].as_i64().expect("a count"));
        }
    }
    counts.values().sum()
}

fn id(row: &Value) -> String {
    let name = if row["order_id"].is_null() { "customer_id" } else { "order_id" };
    text(row, name)
}

fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("{column} is text: {row}")).to_owned()
}

/// A row, with its large texts cut.
fn short(row: &Value) -> String {
    let mut row = row.clone();
    for cell in row.as_object_mut().into_iter().flat_map(|row| row.values_mut()) {
        if let Value::String(text) = cell {
            text.truncate(40);
        }
    }
    row.to_string()
}
