//! What every screen has: the header of the machine, the list of machines, the footer of keys.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::Paragraph,
};

use crate::{
    app::{App, Screen},
    model::{Machine, used_memory},
    screen,
};

/// The colour of what is Ichor's own.
pub(crate) const ACCENT: Color = Color::Yellow;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

impl App {
    /// Draws the whole screen.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let tabs = u16::from(self.machines.len() > 1);
        let [header, machines, body, footer] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(tabs),
            Constraint::Min(0),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let Some(machine) = self.machine() else {
            frame.render_widget(Paragraph::new("no machines"), body);
            return;
        };
        frame.render_widget(self.header(machine), header);
        frame.render_widget(self.tabs(), machines);
        match self.screen {
            Screen::Summary => screen::summary::draw(frame, body, machine, self.scroll),
            Screen::Monitor => screen::monitor::draw(frame, body, machine, self.scroll),
        }
        frame.render_widget(self.footer(), footer);
    }

    fn header(&self, machine: &Machine) -> Paragraph<'static> {
        let spinner = SPINNER.get(self.ticks % SPINNER.len()).copied().unwrap_or(" ");
        let mut spans = vec![
            Span::styled(format!(" {spinner} "), ACCENT),
            Span::styled(hostname(machine), Style::new().bold()),
        ];
        if !machine.version.is_empty() {
            spans.push(Span::raw(format!(" ({})", machine.version)));
        }
        if let Some(why) = &machine.unreachable {
            spans
                .push(Span::styled(format!(": does not answer: {why}"), Style::new().red().bold()));
            return Paragraph::new(Line::from(spans));
        }
        let facts = facts(machine);
        if !facts.is_empty() {
            spans.push(Span::raw(format!(": {}", facts.join(", "))));
        }
        Paragraph::new(Line::from(spans))
    }

    fn tabs(&self) -> Paragraph<'static> {
        let mut spans = vec![Span::raw(" ")];
        for (index, machine) in self.machines.iter().enumerate() {
            let style = if index == self.selected {
                Style::new().fg(Color::Black).bg(ACCENT).add_modifier(Modifier::BOLD)
            } else if machine.unreachable.is_some() {
                Style::new().red()
            } else {
                Style::new().dark_gray()
            };
            spans.push(Span::styled(format!(" {} ", hostname(machine)), style));
            spans.push(Span::raw(" "));
        }
        Paragraph::new(Line::from(spans))
    }

    fn footer(&self) -> Paragraph<'static> {
        let mut spans = Vec::new();
        for (index, screen) in Screen::ALL.iter().enumerate() {
            let style = if *screen == self.screen {
                Style::new().fg(Color::Black).bg(ACCENT)
            } else {
                Style::new()
            };
            spans.push(Span::styled(format!(" F{} {} ", index + 1, screen.title()), style));
        }
        let keys = if self.machines.len() > 1 { "  h/l machine · " } else { "  " };
        let leave = if self.own_screen { "" } else { " · q quit" };
        spans.push(Span::styled(format!("{keys}j/k scroll{leave}"), Style::new().dark_gray()));
        Paragraph::new(Line::from(spans))
    }
}

/// The machine's own name when it is known, else the one it is called by.
fn hostname(machine: &Machine) -> String {
    machine
        .spec("HostnameStatuses.net.talos.dev", "hostname")
        .and_then(|spec| spec.entry("hostname"))
        .and_then(|name| name.as_str())
        .unwrap_or(&machine.name)
        .to_owned()
}

fn facts(machine: &Machine) -> Vec<String> {
    let sample = &machine.sample;
    let mut facts = Vec::new();
    if let Some(system) = &sample.system {
        facts.push(format!("uptime {}", span(sample.now.saturating_sub(system.boot_time))));
    }
    if let Some(processors) = &sample.processors {
        let frequency = processors.first().map_or(0.0, |processor| processor.cpu_mhz) / 1000.0;
        facts.push(format!("{}x{frequency:.1}GHz", processors.len()));
    }
    if let Some(memory) = &sample.memory {
        facts.push(format!("{} RAM", size(memory.memtotal.saturating_mul(1024))));
    }
    if let Some(processes) = &sample.processes {
        facts.push(format!("PROCS {}", processes.len()));
    }
    if sample.system.is_some() {
        facts.push(format!("CPU {:.1}%", machine.cpu()));
    }
    if let Some(memory) = &sample.memory {
        facts.push(format!("RAM {:.1}%", used_memory(memory)));
    }
    facts
}

/// A span of time, coarse when it is long.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// An amount of bytes in binary units.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    // One digit behind the point is far inside what an f64 holds.
    #[allow(clippy::cast_precision_loss)]
    let mut amount = bytes as f64;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") }
}

/// A rate of bytes per second; no reader needs more digits.
pub(crate) fn rate(bytes: f64) -> String {
    // Clamped to what fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let bytes = bytes.clamp(0.0, 1e18) as u64;
    format!("{}/s", size(bytes))
}

/// Splits an area into columns of shares.
pub(crate) fn columns<const N: usize>(area: Rect, shares: [u16; N]) -> [Rect; N] {
    Layout::horizontal(shares.map(Constraint::Fill)).areas(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes() {
        for (seconds, text) in [(5, "5s"), (65, "1m5s"), (3700, "1h1m"), (90_000, "1d1h")] {
            assert_eq!(span(seconds), text);
        }
        for (bytes, text) in [(5, "5 B"), (2048, "2.0 KiB"), (3 << 30, "3.0 GiB")] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(rate(f64::NAN.max(0.0)), "0 B/s");
    }
}
