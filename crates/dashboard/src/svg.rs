//! A drawn screen as an SVG picture.

use std::fmt::Write;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: u16 = 18;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d8dee9";

/// The picture. Every cell has its place, so that it looks the same with any fixed-width font.
#[must_use]
pub fn to_svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) = (x(area.width) + 16.0, area.height * CELL_HEIGHT + 16);
    let mut svg = String::new();
    // Writing to a string does not fail.
    write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height}\" viewBox=\"-8 -8 {width:.0} {height}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n<rect x=\"-8\" y=\"-8\" width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    )
    .ok();
    for row in 0..area.height {
        let cells: Vec<&Cell> =
            (0..area.width).filter_map(|column| buffer.cell((column, row))).collect();
        let mut begin = 0;
        while begin < cells.len() {
            let look = Look::of(cells[begin]);
            let mut end = begin + 1;
            while end < cells.len() && Look::of(cells[end]) == look {
                end += 1;
            }
            look.draw(&mut svg, row, begin, &cells[begin..end]);
            begin = end;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn x(columns: u16) -> f64 {
    f64::from(columns) * CELL_WIDTH
}

#[derive(PartialEq)]
struct Look {
    foreground: &'static str,
    background: Option<&'static str>,
    bold: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (mut foreground, mut background) = (color(cell.fg), color(cell.bg));
        if cell.modifier.contains(Modifier::REVERSED) {
            (foreground, background) =
                (background.or(Some(BACKGROUND)), foreground.or(Some(FOREGROUND)));
        }
        Self {
            foreground: foreground.unwrap_or(FOREGROUND),
            background,
            bold: cell.modifier.contains(Modifier::BOLD),
        }
    }

    fn draw(&self, svg: &mut String, row: u16, column: usize, cells: &[&Cell]) {
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        let (left, top) = (x(column), row * CELL_HEIGHT);
        let width = x(u16::try_from(cells.len()).unwrap_or(u16::MAX));
        // Writing to a string does not fail.
        if let Some(background) = self.background {
            writeln!(svg, "<rect x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{background}\"/>").ok();
        }
        let text: String = cells.iter().map(|cell| cell.symbol()).collect();
        if text.trim().is_empty() {
            return;
        }
        let weight = if self.bold { " font-weight=\"bold\"" } else { "" };
        writeln!(svg, "<text x=\"{left:.1}\" y=\"{}\" fill=\"{}\"{weight} textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{}</text>",
            top + 14,
            self.foreground,
            escaped(&text)
        )
        .ok();
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn color(color: Color) -> Option<&'static str> {
    Some(match color {
        Color::Black => BACKGROUND,
        Color::Red | Color::LightRed => "#e06c75",
        Color::Green | Color::LightGreen => "#98c379",
        Color::Yellow | Color::LightYellow => "#e5b84c",
        Color::Blue | Color::LightBlue => "#61afef",
        Color::Magenta | Color::LightMagenta => "#c678dd",
        Color::Cyan | Color::LightCyan => "#56b6c2",
        Color::Gray => "#abb2bf",
        Color::DarkGray => "#5c6370",
        Color::White => "#ffffff",
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    #[test]
    fn looks_become_runs_and_text_is_escaped() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(0, 0, "a<b", Style::new().fg(Color::Red));
        buffer.set_string(3, 0, "cd", Style::new().bg(Color::Yellow).fg(Color::Black));
        let svg = to_svg(&buffer);
        assert!(svg.contains("fill=\"#e06c75\" textLength=\"25.2\""), "{svg}");
        assert!(svg.contains(">a&lt;b</text>"), "{svg}");
        assert!(svg.contains("<rect x=\"25.2\" y=\"0\" width=\"16.8\""), "{svg}");
        assert_eq!(svg.matches("<text").count(), 2, "{svg}");
    }
}
