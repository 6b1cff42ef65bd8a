//! What the machine does: load, memory, network, disks, processes.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    symbols::Marker,
    text::{Line, Span},
    widgets::{
        Axis, Block, BorderType, Cell, Chart, Dataset, Gauge, GraphType, Paragraph, Row, Sparkline,
        Table,
    },
};

use crate::{
    frame::{ACCENT, columns, rate, size},
    model::{History, Machine},
};

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, machine: &Machine, scroll: usize) {
    let [figures, graphs, rates, processes] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Percentage(30),
        Constraint::Length(5),
        Constraint::Min(4),
    ])
    .areas(area);
    draw_figures(frame, figures, machine);
    let [cpu, memory, load] = columns(graphs, [1, 1, 1]);
    graph(
        frame,
        cpu,
        "CPU user/system",
        &[(&machine.user, Color::Green), (&machine.kernel, Color::Red)],
        Some(100.0),
    );
    graph(frame, memory, "MEM used", &[(&machine.memory, Color::Cyan)], Some(100.0));
    graph(frame, load, "Load average", &[(&machine.load, ACCENT)], None);
    let areas = columns(rates, [1, 1, 1, 1]);
    for (area, title, history) in [
        (areas[0], "NET RX", &machine.received),
        (areas[1], "NET TX", &machine.sent),
        (areas[2], "DISK READ", &machine.read),
        (areas[3], "DISK WRITE", &machine.written),
    ] {
        sparkline(frame, area, title, history);
    }
    table(frame, processes, machine, scroll);
}

fn titled(title: String) -> Block<'static> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().dark_gray())
        .title(Span::styled(format!(" {title} "), Style::new().fg(ACCENT)))
}

fn draw_figures(frame: &mut Frame<'_>, area: Rect, machine: &Machine) {
    let [gauges, left, right] = columns(area, [4, 4, 5]);
    let [cpu, memory] =
        Layout::vertical([Constraint::Length(2), Constraint::Length(2)]).areas(gauges);
    for (area, name, percent, color) in [
        (cpu, "CPU", machine.cpu(), Color::Green),
        (memory, "MEM", machine.memory.last(), Color::Cyan),
    ] {
        let [label, bar] =
            Layout::horizontal([Constraint::Length(5), Constraint::Fill(1)]).areas(area);
        frame.render_widget(Paragraph::new(format!(" {name} ")).bold(), label);
        let gauge = Gauge::default()
            .ratio((percent / 100.0).clamp(0.0, 1.0))
            .label(format!("{percent:.1}%"))
            .gauge_style(Style::new().fg(color).bg(Color::DarkGray));
        let [bar, _] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(bar);
        frame.render_widget(gauge, bar);
    }
    let sample = &machine.sample;
    let load = sample.load.clone().unwrap_or_default();
    let system = sample.system.as_ref();
    let figure = |name: &str, value: String| {
        Line::from(vec![
            Span::styled(format!(" {name:<10}"), Style::new().bold()),
            Span::raw(value),
        ])
    };
    let running = system.map_or(0, |system| system.process_running);
    let blocked = system.map_or(0, |system| system.process_blocked);
    let lines = vec![
        figure(
            "CPU",
            format!("user {:.1}%, system {:.1}%", machine.user.last(), machine.kernel.last()),
        ),
        figure("LOAD", format!("{:.2} {:.2} {:.2}", load.load1, load.load5, load.load15)),
        figure(
            "PROCS",
            format!("{} total, {running} running, {blocked} blocked", machine.processes.len()),
        ),
    ];
    frame.render_widget(Paragraph::new(lines), left);
    let memory = sample.memory.unwrap_or_default();
    let kilobytes = |amount: u64| size(amount.saturating_mul(1024));
    let lines = vec![
        figure("MEMORY", format!("{} total", kilobytes(memory.memtotal))),
        figure(
            "",
            format!(
                "{} available, {} free",
                kilobytes(memory.memavailable),
                kilobytes(memory.memfree)
            ),
        ),
        figure(
            "",
            format!("{} cached, {} buffers", kilobytes(memory.cached), kilobytes(memory.buffers)),
        ),
    ];
    frame.render_widget(Paragraph::new(lines), right);
}

fn graph(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    lines: &[(&History, Color)],
    top: Option<f64>,
) {
    // A braille cell holds two points side by side.
    let width = usize::from(area.width.saturating_sub(2)) * 2;
    let points: Vec<Vec<(f64, f64)>> = lines
        .iter()
        .map(|(history, _)| {
            let values: Vec<f64> = history.newest(width).collect();
            let first = width - values.len();
            (first..).map(index).zip(values).collect()
        })
        .collect();
    let highest = points.iter().flatten().map(|(_, value)| *value).fold(1.0, f64::max);
    let datasets = points
        .iter()
        .zip(lines)
        .map(|(points, (_, color))| {
            Dataset::default()
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(*color)
                .data(points)
        })
        .collect();
    let chart = Chart::new(datasets)
        .block(titled(title.to_owned()))
        .x_axis(Axis::default().bounds([0.0, index(width)]))
        .y_axis(Axis::default().bounds([0.0, top.unwrap_or(highest * 1.1)]));
    frame.render_widget(chart, area);
}

/// A position on the screen, which is far below where an f64 loses one.
fn index(position: usize) -> f64 {
    u32::try_from(position).map_or(f64::MAX, f64::from)
}

fn sparkline(frame: &mut Frame<'_>, area: Rect, title: &str, history: &History) {
    let width = usize::from(area.width.saturating_sub(2));
    // Heights of bars; clamped to what fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let mut data: Vec<u64> =
        history.newest(width).map(|value| value.clamp(0.0, 1e15) as u64).collect();
    let missing = width - data.len();
    data.splice(0..0, std::iter::repeat_n(0, missing));
    let block = titled(format!("{title} {}", rate(history.last())));
    frame.render_widget(
        Sparkline::default().data(data).style(Style::new().fg(Color::Cyan)).block(block),
        area,
    );
}

fn table(frame: &mut Frame<'_>, area: Rect, machine: &Machine, scroll: usize) {
    let total =
        machine.sample.memory.as_ref().map_or(0, |memory| memory.memtotal.saturating_mul(1024));
    let rows = machine.processes.iter().skip(scroll).map(|process| {
        let info = &process.info;
        // A percentage does not need every bit of a memory size.
        #[allow(clippy::cast_precision_loss)]
        let share =
            if total == 0 { 0.0 } else { 100.0 * info.resident_memory as f64 / total as f64 };
        let command = if info.args.is_empty() { &info.command } else { &info.args };
        Row::new([
            Cell::from(format!("{:>7}", info.pid)),
            Cell::from(info.state.clone()),
            Cell::from(format!("{:>5.1}", process.cpu)),
            Cell::from(format!("{share:>5.1}")),
            Cell::from(format!("{:>9}", size(info.virtual_memory))),
            Cell::from(format!("{:>9}", size(info.resident_memory))),
            Cell::from(format!("{:>9}", minutes(info.cpu_time))),
            Cell::from(format!("{:>4}", info.threads)),
            Cell::from(command.clone()),
        ])
    });
    let widths = [
        Constraint::Length(7),
        Constraint::Length(1),
        Constraint::Length(5),
        Constraint::Length(5),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(4),
        Constraint::Fill(1),
    ];
    let heading = Row::new([
        "    PID",
        "S",
        " CPU%",
        " MEM%",
        "     VIRT",
        "      RES",
        "    TIME+",
        " THR",
        "COMMAND",
    ])
    .style(Style::new().fg(Color::Black).bg(ACCENT));
    frame.render_widget(Table::new(rows, widths).header(heading), area);
}

/// Processor time as minutes, seconds and hundredths.
fn minutes(seconds: f64) -> String {
    // Clamped to what fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let hundredths = (seconds.clamp(0.0, 1e12) * 100.0) as u64;
    format!("{}:{:02}.{:02}", hundredths / 6000, hundredths / 100 % 60, hundredths % 100)
}
