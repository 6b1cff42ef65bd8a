//! The dashboard on a terminal, or one moment of it as a picture.

use std::{
    io::{self, IsTerminal, Stdout},
    time::Duration,
};

use crossterm::{
    event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{
    Terminal,
    backend::{CrosstermBackend, TestBackend},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, interval, timeout_at},
};

use crate::{
    app::{Action, App, Key, Screen},
    model::Update,
    source::{self, Target},
    svg,
};

const REDRAW: Duration = Duration::from_millis(500);
/// Updates in flight before a machine has to wait for the screen.
const QUEUE: usize = 1024;

/// The dashboard cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// There is no terminal.
    #[error("the dashboard needs a terminal; standard output is not one")]
    NotATerminal,
    /// The terminal failed.
    #[error("drawing on the terminal")]
    Terminal(#[from] io::Error),
}

/// How the dashboard runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often machines are asked for what cannot be watched.
    pub update_interval: Duration,
    /// Whether this is the machine's own screen, which nobody can leave.
    pub own_screen: bool,
}

/// Shows the machines until the user ends it.
///
/// # Errors
/// When there is no terminal, or it fails.
pub async fn run(targets: Vec<Target>, options: Options) -> Result<(), DashboardError> {
    if !io::stdout().is_terminal() {
        return Err(DashboardError::NotATerminal);
    }
    let mut app = App::new(targets.iter().map(|target| target.name.as_str()))
        .on_own_screen(options.own_screen);
    let (_followers, mut updates) = followers(targets, options);
    let mut keys = keys();
    let mut guard = Guard::enter()?;
    let mut redraw = interval(REDRAW);
    loop {
        tokio::select! {
            Some((machine, update)) = updates.recv() => app.apply(machine, update),
            key = keys.recv() => {
                match key {
                    Some(Some(key)) if app.press(key) == Action::Quit => return Ok(()),
                    // The terminal is gone.
                    None => return Ok(()),
                    _ => guard.draw(&app)?,
                }
            }
            _ = redraw.tick() => {
                app.tick();
                guard.draw(&app)?;
            }
        }
    }
}

/// Watches the machines for a while and draws one moment as an SVG picture.
///
/// # Errors
/// When drawing fails.
pub async fn screenshot(
    targets: Vec<Target>,
    options: Options,
    screen: Screen,
    size: (u16, u16),
    after: Duration,
) -> Result<String, DashboardError> {
    let mut app = App::new(targets.iter().map(|target| target.name.as_str()));
    app.show(screen);
    let (_followers, mut updates) = followers(targets, options);
    let end = Instant::now() + after;
    while let Ok(Some((machine, update))) = timeout_at(end, updates.recv()).await {
        app.apply(machine, update);
    }
    let mut terminal = match Terminal::new(TestBackend::new(size.0, size.1)) {
        Ok(terminal) => terminal,
        Err(never) => match never {},
    };
    if let Err(never) = terminal.draw(|frame| app.draw(frame)) {
        match never {}
    }
    Ok(svg::to_svg(terminal.backend().buffer()))
}

fn followers(
    targets: Vec<Target>,
    options: Options,
) -> (JoinSet<()>, mpsc::Receiver<(usize, Update)>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut tasks = JoinSet::new();
    for (number, target) in targets.into_iter().enumerate() {
        tasks.spawn(source::follow(number, target, options.update_interval, sender.clone()));
    }
    (tasks, receiver)
}

/// Keys as they are pressed; `None` is something that only wants a new drawing. The thread that reads them ends with the program:
/// the terminal offers no other way to wait for a key.
fn keys() -> mpsc::Receiver<Option<Key>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let key = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => match meaning(key) {
                    Some(key) => Some(key),
                    None => continue,
                },
                Event::Resize(..) => None,
                _ => continue,
            };
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    receiver
}

fn meaning(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if control => Key::Quit,
        KeyCode::Char('d' | 'f') if control => Key::Page(1),
        KeyCode::Char('u' | 'b') if control => Key::Page(-1),
        KeyCode::Char('q') => Key::Quit,
        KeyCode::Char('h') | KeyCode::Left => Key::Previous,
        KeyCode::Char('l') | KeyCode::Right => Key::Next,
        KeyCode::Char('j') | KeyCode::Down => Key::Scroll(1),
        KeyCode::Char('k') | KeyCode::Up => Key::Scroll(-1),
        KeyCode::PageDown => Key::Page(1),
        KeyCode::PageUp => Key::Page(-1),
        KeyCode::F(number) => Key::Function(number),
        // Terminals that keep the function keys for themselves.
        KeyCode::Char(digit @ '1'..='9') => {
            Key::Function(digit.to_digit(10).and_then(|digit| u8::try_from(digit).ok())?)
        }
        _ => return None,
    })
}

/// The terminal in the program's hands; given back however the program ends.
struct Guard {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Guard {
    fn enter() -> Result<Self, io::Error> {
        enable_raw_mode()?;
        // From here on dropping gives the terminal back.
        let guard = Self { terminal: Terminal::new(CrosstermBackend::new(io::stdout()))? };
        execute!(io::stdout(), EnterAlternateScreen)?;
        Ok(guard)
    }

    fn draw(&mut self, app: &App) -> Result<(), io::Error> {
        self.terminal.draw(|frame| app.draw(frame)).map(|_| ())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // There is nobody left to tell about a terminal that is gone.
        disable_raw_mode().ok();
        execute!(io::stdout(), LeaveAlternateScreen).ok();
        self.terminal.show_cursor().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_meaning() {
        for (code, modifiers, expected) in [
            (KeyCode::Char('q'), KeyModifiers::NONE, Some(Key::Quit)),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Key::Quit)),
            (KeyCode::Char('c'), KeyModifiers::NONE, None),
            (KeyCode::Char('2'), KeyModifiers::NONE, Some(Key::Function(2))),
            (KeyCode::F(1), KeyModifiers::NONE, Some(Key::Function(1))),
            (KeyCode::Left, KeyModifiers::NONE, Some(Key::Previous)),
        ] {
            assert_eq!(meaning(KeyEvent::new(code, modifiers)), expected);
        }
    }
}
