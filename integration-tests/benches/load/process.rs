//! What the system says of a process and of itself.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The kernel counts a process's time in these, a hundred a second on every Linux that matters
/// (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);

/// User and system time of a process so far (proc(5): fields 14 and 15 of stat).
pub(crate) fn cpu(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>().expect("a number"));
    TICK * ticks.sum()
}

/// A process's resident memory, in KiB.
pub(crate) fn rss(process: u32) -> f64 {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

/// How many connections this machine's listeners have dropped so far, because too many waited to be
/// accepted.
pub(crate) fn listen_drops() -> u64 {
    let counters = fs::read_to_string("/proc/net/netstat").expect("a system that counts");
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    // Those of a full queue (ListenOverflows) are among them.
    let (_, value) = pairs.find(|(name, _)| *name == "ListenDrops").expect("a counter of drops");
    value.parse().expect("a number")
}

/// Raises the limit on file descriptors as far as it goes, and returns it.
pub(crate) fn raise_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })
        .expect("a limit can be used up to its maximum");
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
