//! Finds columns by their names. Their order says nothing, since whoever asks for a report chooses and sorts its columns.

use super::records::Records;

/// The names in a header, as they stand there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Header {
    names: Vec<String>,
}

/// A column by its name, and where it is in this file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) index: Option<usize>,
}

impl Header {
    /// The current record as a header; text that is not UTF-8 names no column.
    pub(super) fn of<R: std::io::Read>(records: &Records<R>) -> Self {
        let fields = (0..records.width()).filter_map(|index| records.field(index));
        Self { names: fields.map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect() }
    }

    /// How many columns there are.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    /// The column of this name, in whatever case; the first of several.
    pub(super) fn column(&self, name: &str) -> Column {
        let index = self.names.iter().position(|has| has.eq_ignore_ascii_case(name));
        Column { name: name.to_owned(), index }
    }

    /// Which of these columns it lacks. An entry `a|b` asks for one of the two.
    pub(super) fn missing<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        let has = |name: &str| name.split('|').any(|name| self.column(name).index.is_some());
        names.iter().copied().filter(|name| !has(name)).collect()
    }

    /// The names, for a message: the first of very many.
    pub(super) fn shown(&self) -> String {
        const SHOWN: usize = 40;
        const NAME_MAX_CHARS: usize = 60;
        let short = |name: &String| name.chars().take(NAME_MAX_CHARS).collect::<String>();
        let shown: Vec<String> = self.names.iter().take(SHOWN).map(short).collect();
        let more = self.names.len().saturating_sub(SHOWN);
        if more > 0 { format!("{}, and {more} more", shown.join(", ")) } else { shown.join(", ") }
    }
}
