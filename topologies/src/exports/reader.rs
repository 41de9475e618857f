//! Reads one export: finds its header, and makes of every line behind it a normalised line or a rejection. Knows no Kafka.

use std::io::{self, Read};

use super::adyen::{self, Adyen};
use super::batches::Mismatch;
use super::cells::Cells;
use super::header::Header;
use super::line::ExportLine;
use super::records::{Found, Records};
use super::stripe::{self, Stripe};
use super::tally::Tally;
use super::zones::Zones;
use crate::object::MAX_VALUE_BYTES;
use crate::payments::Provider;
use crate::rejection::{Reason, Rejection};

/// A header may have so many lines before it: some reports begin with a line about themselves.
const LINES_BEFORE_HEADER_MAX: usize = 10;

/// How reports are laid out, as far as whoever asks for them chooses it.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Who wrote them.
    pub provider: Provider,
    /// Columns that may hold the order's id; the first that does counts.
    pub order_columns: Vec<String>,
    /// The zone of times that have none beside them.
    pub time_zone: String,
    /// Zones by abbreviation.
    pub zones: Zones,
}

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Its bytes can't be had.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not a report of this provider, or not one that can be used.
    #[error("{0}")]
    Unusable(String),
}

/// What one line is.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A line to load.
    Line {
        /// What it says.
        line: ExportLine,
        /// Its number in the file, from 1.
        number: u64,
    },
    /// A line for the dead-letter topic.
    Bad {
        /// Why.
        rejection: Rejection,
        /// Its bytes; of one that is too long, the beginning.
        raw: &'a [u8],
        /// Its number in the file, from 1.
        number: u64,
    },
}

#[derive(Debug)]
enum Report {
    Stripe(Box<Stripe>),
    Adyen(Box<Adyen>),
}

/// A file being read, in constant memory.
///
/// ```
/// use shoppulse::exports::{Entry, ExportReader, Layout, Zones};
/// use shoppulse::payments::Provider;
///
/// let file = "net,fee,gross,currency,created_utc,reporting_category,balance_transaction_id,payment_metadata[order_id]\n\
///             24.05,0.95,25,usd,2026-01-30 10:11:12,charge,txn_1,17\n";
/// let layout = Layout {
///     provider: Provider::Stripe,
///     order_columns: vec!["payment_metadata[order_id]".into()],
///     time_zone: "UTC".into(),
///     zones: Zones::default(),
/// };
/// let mut reader = ExportReader::open(file.as_bytes(), layout)?;
/// let Some(Entry::Line { line, number: 2 }) = reader.next()? else { panic!() };
/// assert_eq!((line.version.gross_minor, line.version.fee_minor, line.version.order_id.as_deref()), (2_500, 95, Some("17")));
/// # Ok::<(), shoppulse::exports::ReadError>(())
/// ```
pub struct ExportReader<R> {
    records: Records<R>,
    layout: Layout,
    report: Report,
    width: usize,
    tally: Tally,
    is_line_open: bool,
}

impl<R> std::fmt::Debug for ExportReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportReader").field("report", &self.report).field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl<R: Read> ExportReader<R> {
    /// Reads as far as the header.
    ///
    /// # Errors
    ///
    /// [`ReadError::Unusable`] names the columns that are missing, and what there is.
    pub fn open(source: R, layout: Layout) -> Result<Self, ReadError> {
        let mut records = Records::new(source)?;
        let header = find_header(&mut records, layout.provider)?;
        let report = match layout.provider {
            Provider::Stripe => Report::Stripe(Box::new(Stripe::new(&header, &layout))),
            Provider::Adyen => Report::Adyen(Box::new(Adyen::new(&header, &layout))),
        };
        Ok(Self { records, width: header.width(), layout, report, tally: Tally::default(), is_line_open: false })
    }

    /// The next line.
    #[expect(clippy::should_implement_trait, reason = "what it lends lives until the next call, which no iterator can say")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, ReadError> {
        if std::mem::take(&mut self.is_line_open) {
            self.records.finish_line()?;
        }
        let found = self.records.advance(Some(self.width))?;
        let read = match found {
            Found::End => return Ok(None),
            Found::TooLong => {
                self.is_line_open = true;
                Err(Rejection::new(Reason::TooLarge, "the line is longer than 512 KiB"))
            }
            Found::Broken => {
                Err(Rejection::new(Reason::BadValue, "a quote does not close, or the fields are not as many as columns"))
            }
            Found::Record => self.read(),
        };
        if self.is_over_limit() {
            let why = "it has more batches, or lines without a reference, than can be kept apart: split it by batches";
            return Err(ReadError::Unusable(why.to_owned()));
        }
        let number = self.records.line();
        Ok(Some(match read {
            Ok(line) => {
                self.tally.line(line.version.kind, line.version.order_id.is_some());
                Entry::Line { line, number }
            }
            Err(rejection) => {
                self.tally.dead_letter(rejection.reason);
                let raw = self.records.raw();
                Entry::Bad { rejection, raw: raw.get(..MAX_VALUE_BYTES).unwrap_or(raw), number }
            }
        }))
    }

    fn read(&mut self) -> Result<ExportLine, Rejection> {
        let (has, wants) = (self.records.width(), self.width);
        if has != wants {
            let reason = if has < wants { Reason::MissingField } else { Reason::BadValue };
            return Err(Rejection::new(reason, format!("the line has {has} fields, and the header {wants}")));
        }
        let cells = Cells::new(&self.records);
        match &mut self.report {
            Report::Stripe(stripe) => stripe::read(stripe, cells, &self.layout),
            Report::Adyen(adyen) => adyen.read(cells, &self.layout),
        }
    }

    fn is_over_limit(&self) -> bool {
        matches!(&self.report, Report::Adyen(adyen) if adyen.is_over_limit())
    }

    /// How many bytes of the file the lines so far take, and everything before them.
    pub fn position(&self) -> u64 {
        self.records.position()
    }

    /// The SHA-256 of those bytes, in hex.
    pub fn fingerprint(&self) -> String {
        self.records.fingerprint()
    }

    /// The number of the line that was read last.
    pub fn line_number(&self) -> u64 {
        self.records.line()
    }

    /// What became of the lines so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Batches that do not add up so far; of use at the end only.
    pub fn mismatches(&self) -> Vec<Mismatch> {
        match &self.report {
            Report::Stripe(_) => Vec::new(),
            Report::Adyen(adyen) => adyen.batches.mismatches(),
        }
    }

    /// How many batches add up so far, and how many have no payout.
    pub fn batches(&self) -> (usize, usize) {
        match &self.report {
            Report::Stripe(_) => (0, 0),
            Report::Adyen(adyen) => adyen.batches.checked(),
        }
    }

    /// Whether any column can name an order.
    pub fn names_orders(&self) -> bool {
        match &self.report {
            Report::Stripe(stripe) => stripe.names_orders(),
            Report::Adyen(adyen) => adyen.names_orders(),
        }
    }
}

fn required(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Stripe => stripe::REQUIRED,
        Provider::Adyen => adyen::REQUIRED,
    }
}

/// The first line that has all required columns.
fn find_header<R: Read>(records: &mut Records<R>, provider: Provider) -> Result<Header, ReadError> {
    let required = required(provider);
    let mut nearest: Option<Header> = None;
    for _ in 0..LINES_BEFORE_HEADER_MAX {
        match records.advance(None)? {
            Found::End => break,
            Found::Record => {}
            Found::Broken => continue,
            Found::TooLong => {
                records.finish_line()?;
                continue;
            }
        }
        let header = Header::of(records);
        let missing = header.missing(required).len();
        if missing == 0 {
            return Ok(header);
        }
        if nearest.as_ref().is_none_or(|nearest| missing < nearest.missing(required).len()) {
            nearest = Some(header);
        }
    }
    Err(ReadError::Unusable(explain(nearest.as_ref(), provider)))
}

/// What is wrong with what comes nearest to a header.
fn explain(nearest: Option<&Header>, provider: Provider) -> String {
    let Some(header) = nearest else {
        return "it is empty: there is not even a header".to_owned();
    };
    let quoted =
        |names: Vec<&str>| names.iter().map(|name| format!("`{}`", name.replace('|', "` or `"))).collect::<Vec<_>>().join(", ");
    let other = match provider {
        Provider::Stripe => Provider::Adyen,
        Provider::Adyen => Provider::Stripe,
    };
    let hint = if header.missing(required(other)).is_empty() {
        format!("; this is a report of {other}: use --provider {other}", other = other.as_str())
    } else {
        "; ask the provider for a report with these columns".to_owned()
    };
    let missing = quoted(header.missing(required(provider)));
    format!("the header lacks {missing}; it has {}{hint}", header.shown())
}

#[cfg(test)]
mod tests;
