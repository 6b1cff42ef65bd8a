//! Tables: cells padded to columns with three spaces.

use super::failure::Failures;
use crate::files;

/// Rows of cells; the first row is the heading.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with its heading.
    pub(crate) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// A table whose heading is known only now.
    pub(crate) fn with(heading: Vec<String>) -> Self {
        Self { rows: vec![heading] }
    }

    /// Prints the table and then the failures; where every machine failed, there is no table to speak of.
    pub(crate) fn print(&self, failures: Failures) -> anyhow::Result<()> {
        if self.rows.len() > 1 || failures.is_empty() {
            files::print(&self.to_string())?;
        }
        failures.into_result()
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str(cell);
                if index + 1 < row.len() {
                    let padding = width - cell.chars().count() + 3;
                    line.extend(std::iter::repeat_n(' ', padding));
                }
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["NODE", "ID", "STATE"]);
        table.row(vec!["10.5.0.2".into(), "apid".into(), "Running".into()]);
        table.row(vec!["x".into(), "kübelet-long".into(), String::new()]);
        let expected = "NODE       ID             STATE\n10.5.0.2   apid           Running\nx          kübelet-long   \n";
        assert_eq!(table.to_string(), expected);
    }
}
