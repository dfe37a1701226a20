//! What the system says of a process and of itself.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The kernel counts a process's time in these, a hundred a second on every Linux that matters (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);

/// User and system time of a process so far (proc(5): fields 14 and 15 of stat).
pub(crate) fn cpu(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks =
        after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().expect("a number"));
    TICK * ticks.sum()
}

/// Raises the limit on file descriptors as far as it goes, and returns it.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })
        .expect("a limit can be used up to its maximum");
    limit.unwrap_or(u64::MAX)
}
