//! One folder with everything an experiment gave: `report.md`, a CSV for each table, plots as SVG.

pub mod plots;
mod tables;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub use tables::{adaptation, comparison, supervised};

use super::LabError;
use super::confidence_interval::ConfidenceInterval;

/// A report in the making.
pub struct Report {
    folder: PathBuf,
    markdown: String,
}

impl Report {
    /// Begins a report in `folder`, which is created.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(folder: &Path, title: &str) -> Result<Self, LabError> {
        std::fs::create_dir_all(folder).map_err(|error| LabError::file(folder, error))?;
        Ok(Self { folder: folder.to_owned(), markdown: format!("# {title}\n") })
    }

    /// Adds a paragraph or a heading.
    pub fn text(&mut self, text: impl AsRef<str>) {
        self.markdown.push('\n');
        self.markdown.push_str(text.as_ref());
        self.markdown.push('\n');
    }

    /// Adds a table, and the same as `name`.csv.
    ///
    /// # Errors
    /// The disk fails.
    pub fn table(&mut self, name: &str, header: &[&str], rows: &[Vec<Cell>]) -> Result<(), LabError> {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        self.markdown.push('\n');
        self.markdown.push_str(&line(header.iter().map(|&cell| cell.to_owned()).collect()));
        self.markdown.push_str(&line(header.iter().map(|_| "---".to_owned()).collect()));
        for row in rows {
            self.markdown.push_str(&line(row.iter().map(Cell::shown).collect()));
        }
        let path = self.folder.join(format!("{name}.csv"));
        let failed = |error: csv::Error| LabError::malformed(&path, error);
        let mut writer = csv::Writer::from_path(&path).map_err(failed)?;
        // An interval takes three columns.
        let wide = |row: &Vec<Cell>| row.iter().any(|cell| matches!(cell, Cell::Interval(_)));
        let widths: Vec<bool> = (0..header.len())
            .map(|column| {
                rows.iter().filter(|row| wide(row)).any(|row| matches!(row.get(column), Some(Cell::Interval(_))))
            })
            .collect();
        let names = header.iter().zip(&widths).flat_map(|(&name, &is_wide)| match is_wide {
            true => vec![name.to_owned(), format!("{name} low"), format!("{name} high")],
            false => vec![name.to_owned()],
        });
        writer.write_record(names).map_err(failed)?;
        for row in rows {
            let cells = row.iter().zip(&widths).flat_map(|(cell, &is_wide)| cell.raw(is_wide));
            writer.write_record(cells).map_err(failed)?;
        }
        writer.flush().map_err(|error| LabError::file(&path, error))
    }

    /// Adds a plot as `name`.svg; where it cannot be drawn, the reason stands in its place.
    ///
    /// # Errors
    /// The disk fails.
    pub fn plot(&mut self, name: &str, caption: &str, svg: Result<String, String>) -> Result<(), LabError> {
        match svg {
            Ok(svg) => {
                let path = self.folder.join(format!("{name}.svg"));
                std::fs::write(&path, svg).map_err(|error| LabError::file(&path, error))?;
                let _ = write!(self.markdown, "\n![{caption}]({name}.svg)\n");
            }
            Err(reason) => self.text(format!("*{caption} could not be drawn: {reason}.*")),
        }
        Ok(())
    }

    /// Writes `report.md` and says where it is.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(self) -> Result<PathBuf, LabError> {
        let path = self.folder.join("report.md");
        std::fs::write(&path, self.markdown).map_err(|error| LabError::file(&path, error))?;
        Ok(path)
    }
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A share or score, shown with three digits.
    Value(f64),
    /// With its 95 % interval.
    Interval(ConfidenceInterval),
}

impl Cell {
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.replace('|', "\\|"),
            Self::Value(value) => format!("{value:.3}"),
            Self::Interval(ConfidenceInterval { value, low, high }) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        }
    }

    fn raw(&self, is_wide: bool) -> Vec<String> {
        let mut cells = match self {
            Self::Text(text) => vec![text.clone()],
            Self::Value(value) => vec![value.to_string()],
            Self::Interval(ConfidenceInterval { value, low, high }) => {
                vec![value.to_string(), low.to_string(), high.to_string()]
            }
        };
        cells.resize(if is_wide { 3 } else { cells.len() }, String::new());
        cells
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_its_tables_as_markdown_and_csv() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::create(folder.path(), "Title").unwrap();
        let interval = ConfidenceInterval { value: 0.5, low: 0.25, high: 0.75 };
        let rows = [vec!["a|b".into(), Cell::Interval(interval)], vec!["c".into(), Cell::Value(0.125)]];
        report.table("t", &["row", "F1"], &rows).unwrap();
        report.plot("p", "Plot", Err("no data".into())).unwrap();
        let markdown = std::fs::read_to_string(report.finish().unwrap()).unwrap();
        assert!(markdown.contains("| a\\|b | 0.500 [0.250, 0.750] |") && markdown.contains("no data"), "{markdown}");
        let csv = std::fs::read_to_string(folder.path().join("t.csv")).unwrap();
        assert_eq!(csv, "row,F1,F1 low,F1 high\na|b,0.5,0.25,0.75\nc,0.125,,\n");
    }
}
