//! CSV tables with named columns.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::lab::LabError;

/// More rows than any set has: a table of other things, or a hostile one.
const MAX_ROWS: usize = 10_000_000;

/// A table in memory.
pub struct Table {
    path: PathBuf,
    columns: HashMap<String, usize>,
    /// The column names, in the file's order.
    pub names: Vec<String>,
    rows: Vec<StringRecord>,
}

/// A row of a table.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    table: &'a Table,
    record: &'a StringRecord,
}

impl Table {
    /// Reads a table with a line of column names.
    ///
    /// # Errors
    /// The file cannot be read, or a row has more or fewer fields than there are columns.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let wrong = |error: csv::Error| match error.into_kind() {
            csv::ErrorKind::Io(error) => LabError::file(path, error),
            kind => LabError::malformed(path, words(&kind)),
        };
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_path(path).map_err(wrong)?;
        // Spreadsheets mark UTF-8 with U+FEFF.
        let names: Vec<String> = reader
            .headers()
            .map_err(wrong)?
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_owned())
            .collect();
        let columns = names.iter().cloned().enumerate().map(|(index, name)| (name, index)).collect();
        let rows: Vec<StringRecord> = reader.records().take(MAX_ROWS).collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Self { path: path.to_owned(), columns, names, rows })
    }

    /// Checks that the table has all of `columns`.
    ///
    /// # Errors
    /// [`LabError::Malformed`] with the missing ones.
    pub fn require(&self, columns: &[&str]) -> Result<(), LabError> {
        let missing: Vec<&str> = columns.iter().filter(|name| !self.columns.contains_key(**name)).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(LabError::malformed(&self.path, format!("it lacks the columns {}", missing.join(", "))))
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|record| Row { table: self, record })
    }
}

impl<'a> Row<'a> {
    /// The field in `column`; empty where there is no such column.
    pub fn get(self, column: &str) -> &'a str {
        let index = self.table.columns.get(column).copied();
        index.and_then(|index| self.record.get(index)).unwrap_or_default()
    }

    /// A count of votes; an empty field is none. Fractional digits that are zero are let pass.
    ///
    /// # Errors
    /// Words that say which field is no count.
    pub fn count(self, column: &str) -> Result<u32, String> {
        let field = self.get(column);
        let whole = field
            .split_once('.')
            .map_or(field, |(whole, rest)| if rest.trim_matches('0').is_empty() { whole } else { field });
        match whole {
            "" => Ok(0),
            number => number.parse().map_err(|_| format!("{column} is `{field}`, which is no count")),
        }
    }
}

fn words(kind: &csv::ErrorKind) -> String {
    match kind {
        csv::ErrorKind::Utf8 { pos, .. } => {
            format!("line {} is not UTF-8", pos.as_ref().map_or(0, csv::Position::line))
        }
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} has {len} fields instead of {expected_len}")
        }
        other => format!("{other:?}"),
    }
}
