//! The client against servers made of tables, with a clock that only moves when told.

use proptest::prelude::*;

use super::super::packet::answer;
use super::*;

/// A world: the true time, a clock that is wrong by an offset, and the client.
struct World {
    client: Client,
    steady: Duration,
    /// The true time at `steady` zero.
    epoch: i64,
    /// How far the clock is behind the true time.
    error: i64,
    adjustments: Vec<Adjustment>,
    resolves: u32,
}

const NOW: i64 = 1_800_000_000_000_000_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MILLISECOND;

/// How a server behaves.
#[derive(Clone, Copy)]
enum Server {
    /// It answers after a way of as many milliseconds in each direction, wrong by so many nanoseconds.
    Answers { there: u64, back: u64, wrong: i64 },
    /// It says nothing.
    Silent,
    /// It says a kiss code.
    Kiss(&'static [u8; 4]),
}

const GOOD_SERVER: Server = Server::Answers { there: 5, back: 5, wrong: 0 };

impl World {
    fn new(error: i64) -> Self {
        Self {
            client: Client::new(7),
            steady: Duration::from_secs(10),
            epoch: NOW,
            error,
            adjustments: Vec::new(),
            resolves: 0,
        }
    }

    fn truth(&self) -> i64 {
        self.epoch + i64::try_from(self.steady.as_nanos()).unwrap()
    }

    fn clock(&self) -> Clock {
        Clock { steady: self.steady, wall: self.truth() - self.error }
    }

    fn event(&mut self, event: Event<'_>) -> Vec<(usize, [u8; SIZE])> {
        let mut sent = Vec::new();
        for action in self.client.handle(event, self.clock()) {
            match action {
                Action::Send { server, packet } => sent.push((server, packet)),
                Action::Adjust(adjustment) => {
                    // A slew is taken to be done at once.
                    self.error -= adjustment.offset;
                    self.adjustments.push(adjustment);
                }
                Action::Resolve => self.resolves += 1,
            }
        }
        sent
    }

    /// Waits for the next question, lets the server act, and gives back which one was asked.
    fn round(&mut self, servers: &[Server]) -> Option<usize> {
        let wake = self.client.wake_at().unwrap();
        assert!(wake >= self.steady);
        self.steady = wake;
        let sent = self.event(Event::Timer);
        let (server, packet) = *sent.first()?;
        self.react(server, &packet, servers[server]);
        Some(server)
    }

    fn react(&mut self, server: usize, packet: &[u8], how: Server) {
        match how {
            Server::Silent => {}
            Server::Answers { there, back, wrong } => {
                self.steady += Duration::from_millis(there);
                let time = self.truth() + wrong;
                let bytes = answer(packet, 0x24, 2, b"GPS\0", [time, time]);
                self.steady += Duration::from_millis(back);
                assert!(self.event(Event::Packet { server, bytes: &bytes }).is_empty());
            }
            Server::Kiss(code) => {
                let bytes = answer(packet, 0xe4, 0, code, [0, 0]);
                for (server, packet) in self.event(Event::Packet { server, bytes: &bytes }) {
                    self.react(server, &packet, Server::Silent);
                }
            }
        }
    }

    fn start(&mut self, servers: &[Server]) {
        for (server, packet) in self.event(Event::Servers(servers.len())) {
            self.react(server, &packet, servers[server]);
        }
    }
}

#[test]
fn the_first_answer_sets_a_clock_that_is_years_off() {
    for error in [56 * 365 * 86_400 * SECOND, -30 * 365 * 86_400 * SECOND, 200 * MILLISECOND] {
        let mut world = World::new(error);
        world.start(&[GOOD_SERVER]);
        assert!(world.client.is_synced());
        assert!(world.adjustments[0].step);
        assert!(world.error.abs() < MILLISECOND, "{} of {error}", world.error);
        for _ in 0..8 {
            world.round(&[GOOD_SERVER]);
        }
        assert!(world.adjustments[1..].iter().all(|adjustment| !adjustment.step));
    }
    let mut world = World::new(100 * MILLISECOND);
    world.start(&[GOOD_SERVER]);
    assert!(world.client.is_synced() && !world.adjustments[0].step);
}

#[test]
fn questions_begin_with_a_burst_and_become_rare() {
    let mut world = World::new(0);
    world.start(&[GOOD_SERVER]);
    let mut pauses = Vec::new();
    for _ in 0..40 {
        let before = world.steady;
        world.round(&[GOOD_SERVER]);
        pauses.push((world.steady - before).as_secs());
    }
    assert_eq!(pauses[..3], [2, 2, 2]);
    assert!((56..=72).contains(&pauses[3]), "{pauses:?}");
    assert!((890..=1160).contains(pauses.last().unwrap()), "{pauses:?}");
}

#[test]
fn slow_answers_do_not_move_the_clock() {
    let mut world = World::new(0);
    world.start(&[GOOD_SERVER]);
    for _ in 0..6 {
        world.round(&[GOOD_SERVER]);
    }
    let before = world.adjustments.len();
    // Forty milliseconds on the way there look like a clock that is twenty behind.
    world.round(&[Server::Answers { there: 40, back: 0, wrong: 0 }]);
    assert_eq!(world.adjustments.len(), before);
    assert!(world.error.abs() < MILLISECOND);
}

#[test]
fn a_spike_is_doubted_until_it_stays() {
    let wrong = Server::Answers { there: 1, back: 1, wrong: 3600 * SECOND };
    let mut world = World::new(0);
    world.start(&[GOOD_SERVER]);
    for _ in 0..6 {
        world.round(&[GOOD_SERVER]);
    }
    for count in 1..3 {
        world.round(&[wrong]);
        assert_eq!(world.client.spikes(), count);
    }
    world.round(&[GOOD_SERVER]);
    assert_eq!((world.client.spikes(), world.error.abs() < MILLISECOND), (0, true));
    // The machine slept, or its host set its clock: the same answer again and again is the truth, and it is
    // looked for quickly.
    world.error = 3600 * SECOND;
    world.round(&[GOOD_SERVER]);
    let begin = world.steady;
    world.round(&[GOOD_SERVER]);
    world.round(&[GOOD_SERVER]);
    assert!(world.error.abs() < MILLISECOND);
    assert!(world.adjustments.last().unwrap().step);
    assert!(world.steady - begin < Duration::from_secs(6));
}

#[test]
fn servers_that_do_not_answer_are_passed_over() {
    let servers = [Server::Silent, GOOD_SERVER];
    let mut world = World::new(0);
    world.start(&servers);
    let mut asked = vec![0];
    while !world.client.is_synced() {
        asked.extend(world.round(&servers));
    }
    assert_eq!(asked, [0, 0, 0, 1]);
    assert_eq!(world.steady.as_secs(), 10 + 1 + 2 + 4);

    // Nobody answers: the names are looked up again, ever less often.
    let mut world = World::new(0);
    world.start(&[Server::Silent]);
    let mut resolved = Vec::new();
    while resolved.len() < 10 {
        let before = world.resolves;
        world.round(&[Server::Silent]);
        if world.resolves > before {
            resolved.push(world.steady.as_secs());
            world.event(Event::Servers(0));
        }
    }
    let pauses: Vec<u64> = resolved.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.windows(2).all(|pair| pair[1] + 40 > pair[0]), "{pauses:?}");
    assert!((112..=144).contains(pauses.last().unwrap()), "{pauses:?}");
    let sent = world.event(Event::Servers(1));
    assert_eq!(sent.len(), 1, "a server that is found again is asked at once");
}

#[test]
fn kisses_of_death_are_obeyed() {
    let servers = [Server::Kiss(b"DENY"), Server::Kiss(b"INIT"), GOOD_SERVER];
    let mut world = World::new(0);
    world.start(&servers);
    while !world.client.is_synced() {
        world.round(&servers);
    }
    assert_eq!(world.client.server, 2);
    assert!(world.steady < Duration::from_secs(25), "{:?}", world.steady);

    let mut world = World::new(0);
    world.start(&[GOOD_SERVER]);
    world.round(&[Server::Kiss(b"RATE")]);
    let before = world.steady;
    world.round(&[GOOD_SERVER]);
    assert!((112..=145).contains(&(world.steady - before).as_secs()));
    world.error = 50 * MILLISECOND;
    for _ in 0..6 {
        let before = world.steady;
        world.round(&[GOOD_SERVER]);
        let pause = (world.steady - before).as_secs();
        assert!(pause <= 2 || pause >= 112, "{pause}");
    }
}

#[test]
fn a_hardware_clock_is_read_like_a_server() {
    let mut world = World::new(3600 * SECOND);
    assert_eq!(world.event(Event::Servers(1)).len(), 1);
    world.steady += Duration::from_micros(10);
    let wall = world.truth();
    world.event(Event::Reading { server: 0, wall });
    assert!(world.client.is_synced() && world.adjustments[0].step);
    assert!(world.error.abs() < MILLISECOND, "{}", world.error);
    let wall = wall + SECOND;
    world.event(Event::Reading { server: 0, wall });
    assert_eq!(world.adjustments.len(), 1, "nobody asked");
}

#[test]
fn strangers_are_not_believed() {
    let mut world = World::new(0);
    let (_, packet) = world.event(Event::Servers(2))[0];
    let late = NOW + 3600 * SECOND;
    let mut other = packet;
    other[47] ^= 1;
    let forged = answer(&other, 0x24, 2, b"GPS\0", [late, late]);
    world.event(Event::Packet { server: 0, bytes: &forged });
    let real = answer(&packet, 0x24, 2, b"GPS\0", [late, late]);
    world.event(Event::Packet { server: 1, bytes: &real });
    assert!(!world.client.is_synced());
    world.event(Event::Packet { server: 0, bytes: &real });
    assert!(world.client.is_synced());
    let before = world.adjustments.len();
    world.event(Event::Packet { server: 0, bytes: &real });
    assert_eq!(world.adjustments.len(), before, "an answer counts once");
}

proptest! {
    /// Whatever comes in whatever order: time goes forward, and a clock is set only by answers to questions.
    #[test]
    fn nothing_confuses_the_client(
        steps in proptest::collection::vec((0_u8..6, 0_u64..200_000, any::<i64>(), any::<u64>()), 1..100),
    ) {
        let mut client = Client::new(3);
        let mut now = Clock { steady: Duration::from_secs(1), wall: NOW };
        let mut asked = vec![0; SIZE];
        for (what, pause, time, noise) in steps {
            now.steady += Duration::from_millis(pause);
            now.wall = now.wall.saturating_add(i64::try_from(pause).unwrap());
            let time = time.unsigned_abs() % 4_000_000_000_000_000_000;
            let time = i64::try_from(time).unwrap();
            let head = u8::try_from(noise % 256).unwrap();
            let bytes = match what {
                0 | 1 => answer(&asked, 0x24, 2, b"GPS\0", [time, time]),
                2 => answer(&asked, head, head, b"RATE", [time, time]),
                _ => noise.to_be_bytes().repeat(7),
            };
            let event = match what {
                4 => Event::Servers(usize::try_from(noise % 4).unwrap()),
                5 => Event::Timer,
                _ => Event::Packet { server: 0, bytes: &bytes },
            };
            for action in client.handle(event, now) {
                match action {
                    Action::Send { packet, .. } => asked = packet.to_vec(),
                    Action::Adjust(_) => prop_assert!(what < 3),
                    Action::Resolve => {}
                }
            }
            prop_assert!(client.wake_at().is_none_or(|wake| wake > now.steady));
        }
    }
}
