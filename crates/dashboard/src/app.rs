//! The state of the program: which machine, which screen, how far scrolled. Keys go in, actions come out.

use crate::model::{Machine, Update};

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// What the machine is, and its log.
    #[default]
    Summary,
    /// What the machine does.
    Monitor,
}

impl Screen {
    /// All screens, in the order of their keys.
    pub const ALL: [Self; 2] = [Self::Summary, Self::Monitor];

    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Monitor => "Monitor",
        }
    }
}

/// Keys that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A function key, by its number.
    Function(u8),
    /// To the machine before.
    Previous,
    /// To the machine after.
    Next,
    /// Scroll by lines; negative is up.
    Scroll(i32),
    /// Scroll by pages; negative is up.
    Page(i32),
    /// End.
    Quit,
}

/// What is to be done after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Draw again.
    Draw,
    /// End.
    Quit,
}

/// The state of the program.
#[derive(Clone, Debug, Default)]
pub struct App {
    pub(crate) machines: Vec<Machine>,
    pub(crate) selected: usize,
    pub(crate) screen: Screen,
    /// Lines scrolled back from the end of the log, or down the table.
    pub(crate) scroll: usize,
    pub(crate) ticks: usize,
    /// The machine's own screen, which nobody can leave.
    pub(crate) own_screen: bool,
}

/// Lines that a page key moves.
const PAGE: usize = 10;

impl App {
    /// For the machines with these names.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { machines: names.into_iter().map(Machine::new).collect(), ..Self::default() }
    }

    /// The same on the machine's own screen, which nobody can leave.
    #[must_use]
    pub fn on_own_screen(mut self, own: bool) -> Self {
        self.own_screen = own;
        self
    }

    /// Takes in something new about a machine.
    pub fn apply(&mut self, machine: usize, update: Update) {
        if let Some(machine) = self.machines.get_mut(machine) {
            machine.apply(update);
        }
    }

    /// Chooses a screen.
    pub fn show(&mut self, screen: Screen) {
        self.screen = screen;
        self.scroll = 0;
    }

    /// Time passes: what moves on the screen moves on.
    pub fn tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key) -> Action {
        match key {
            Key::Quit if self.own_screen => {}
            Key::Quit => return Action::Quit,
            Key::Function(number) => {
                let index = usize::from(number).wrapping_sub(1);
                if let Some(screen) = Screen::ALL.get(index) {
                    self.show(*screen);
                }
            }
            Key::Previous => self.select(self.selected + self.machines.len().max(1) - 1),
            Key::Next => self.select(self.selected + 1),
            Key::Scroll(lines) => self.scroll_by(lines.signum(), lines.unsigned_abs() as usize),
            Key::Page(pages) => {
                self.scroll_by(pages.signum(), pages.unsigned_abs() as usize * PAGE);
            }
        }
        Action::Draw
    }

    fn select(&mut self, index: usize) {
        self.selected = index % self.machines.len().max(1);
        self.scroll = 0;
    }

    /// The log is scrolled from its end, the table from its beginning.
    fn scroll_by(&mut self, direction: i32, lines: usize) {
        let back = match self.screen {
            Screen::Summary => direction < 0,
            Screen::Monitor => direction > 0,
        };
        let machine = self.machines.get(self.selected);
        let length = machine.map_or(0, |machine| match self.screen {
            Screen::Summary => machine.log.len(),
            Screen::Monitor => machine.processes.len(),
        });
        self.scroll = if back {
            (self.scroll + lines).min(length.saturating_sub(1))
        } else {
            self.scroll.saturating_sub(lines)
        };
    }

    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.machines.get(self.selected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_go_round_and_screens_have_keys() {
        let mut app = App::new(["a", "b", "c"]);
        app.press(Key::Previous);
        assert_eq!(app.selected, 2);
        app.press(Key::Next);
        assert_eq!(app.selected, 0);
        app.press(Key::Function(2));
        assert_eq!(app.screen, Screen::Monitor);
        app.press(Key::Function(9));
        assert_eq!(app.screen, Screen::Monitor);
        assert_eq!(app.press(Key::Quit), Action::Quit);
        app.own_screen = true;
        assert_eq!(app.press(Key::Quit), Action::Draw);
    }

    #[test]
    fn scrolling_stays_inside_the_log() {
        let mut app = App::new(["a"]);
        for number in 0..5 {
            app.apply(0, Update::LogLine(number.to_string()));
        }
        app.press(Key::Page(-1));
        assert_eq!(app.scroll, 4);
        app.press(Key::Scroll(1));
        assert_eq!(app.scroll, 3);
        app.press(Key::Page(1));
        assert_eq!(app.scroll, 0);
    }

    #[test]
    fn without_machines_nothing_breaks() {
        let mut app = App::new([]);
        for key in [Key::Next, Key::Previous, Key::Scroll(-1), Key::Page(1), Key::Function(0)] {
            assert_eq!(app.press(key), Action::Draw);
        }
        app.apply(3, Update::LogLine(String::new()));
    }
}
