//! How much a thread gets of a processor that others want as well.

use rustix::process::{getpriority_process, setpriority_process};

/// Runs `work` with this nice value (sched(7): 0 is usual, 19 gets least) and gives the thread the one that it had. The
/// kernel keeps nice values by thread, not by process. Where it refuses one, the work is done as usual: it is only slower or
/// faster for it.
pub fn nicely<T>(nice: i32, work: impl FnOnce() -> T) -> T {
    let before = getpriority_process(None).ok();
    let nicer = before.is_some() && setpriority_process(None, nice).is_ok();
    let done = work();
    if let Some(before) = before.filter(|_| nicer) {
        // To be less nice needs a privilege, which who has it keeps.
        let _ = setpriority_process(None, before);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_threads_and_only_for_a_while() {
        let own = getpriority_process(None).unwrap();
        let thread = std::thread::spawn(move || {
            let seen = nicely(own + 1, || getpriority_process(None).unwrap());
            (seen, getpriority_process(None).unwrap())
        });
        let (during, after) = thread.join().unwrap();
        assert_eq!(during, own + 1);
        // Without the privilege the thread stays as nice as it was.
        assert!(after == own || !rustix::process::geteuid().is_root(), "{after}");
        assert_eq!(getpriority_process(None).unwrap(), own, "another thread's");
    }
}
