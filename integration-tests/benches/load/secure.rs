//! TLS beside plain: what a delivery costs, a handshake, a silent connection, and what many
//! handshakes do to the others.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use integration_tests::tls::credulous;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

use crate::Plan;
use crate::crowd::Crowd;
use crate::line::Line;
use crate::process::{cpu, rss};
use crate::room::Room;
use crate::table::{head, median, number, ratio, row};
use crate::target::{Chatroom, Target};

const READERS: usize = 100;
const UNDER_WAY: [u64; 3] = [1, 32, 256];

/// How many handshakes are counted: a hundred ticks of the clock that measures them, and more.
const HANDSHAKES: u32 = 4_000;

/// How many silent connections are weighed.
const SILENT: usize = 2_000;

/// How many handshakes a second the others have to bear.
const HANDSHAKES_A_SECOND: u64 = 200;

/// How many round trips of one who is there already are timed meanwhile.
const ROUND_TRIPS: usize = 5_000;

/// How long that one rests between two of them, so that they are spread over what goes on.
const REST: Duration = Duration::from_micros(500);

pub(crate) fn run(plan: &Plan) {
    let config = Arc::clone(credulous().config());
    fan_out(plan, &config);
    handshakes(plan, &config);
    silence(plan, &config);
    bystander(plan, &config);
}

fn fan_out(plan: &Plan, config: &Arc<ClientConfig>) {
    head(
        "Fan-out over TLS",
        &format!(
            "Fan-out as above to {READERS} readers, who all speak TLS or all do not. CPU is the \
             server's for one delivery; \
             beside it how many deliveries a second that were, with what the readers' own TLS \
             takes of the machine."
        ),
        &["under way", "TLS", "plain", "ratio", "TLS", "plain"],
    );
    let mut costs = UNDER_WAY.map(|_| [Vec::new(), Vec::new()]);
    let mut rates = UNDER_WAY.map(|_| [Vec::new(), Vec::new()]);
    for repetition in 1..=plan.repetitions {
        for (which, tls) in [Some(config), None].into_iter().enumerate() {
            let name = if tls.is_some() { "TLS" } else { "plain" };
            eprintln!("fan-out over TLS: {name}, {repetition} of {}", plan.repetitions);
            let target = Chatroom::start();
            let mut crowd = Crowd::over(tls.cloned());
            crowd.arrive(&target, READERS + 1);
            let mut room = Room::fill_with(&target, crowd);
            for (at, under_way) in UNDER_WAY.into_iter().enumerate() {
                let cost = room.measure(under_way, plan.cpu);
                costs[at][which].push(cost.cpu);
                rates[at][which].push(cost.rate);
            }
            room.end();
        }
    }
    for ((under_way, [tls, plain]), rates) in UNDER_WAY.iter().zip(&costs).zip(&rates) {
        let [tls_rate, plain_rate] = rates.each_ref().map(|rates| number(median(rates), 0, "/s"));
        row(&[
            under_way.to_string(),
            number(median(tls), 3, " µs"),
            number(median(plain), 3, " µs"),
            number(ratio(tls, plain), 2, "x"),
            tls_rate,
            plain_rate,
        ]);
    }
}

fn handshakes(plan: &Plan, config: &Arc<ClientConfig>) {
    head(
        "Handshakes",
        "The server's CPU for a connection that comes, says nothing more than the handshake of \
         TLS if it speaks it, and goes.",
        &["", "CPU"],
    );
    for (name, tls) in [("TLS", Some(config)), ("plain", None)] {
        let mut micros = Vec::new();
        for _ in 0..plan.repetitions {
            let target = Chatroom::start();
            let before = cpu(target.process());
            for _ in 0..HANDSHAKES {
                drop(connect(target.address(), tls));
            }
            micros
                .push((cpu(target.process()) - before).as_secs_f64() * 1e6 / f64::from(HANDSHAKES));
        }
        row(&[name.to_owned(), number(median(&micros), 0, " µs")]);
    }
}

fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Line {
    Line::new(TcpStream::connect(address).expect("the server listens"), tls)
}

fn silence(plan: &Plan, config: &Arc<ClientConfig>) {
    head(
        "Silent connections over TLS",
        "So many come and are let in, leave General, and each asks once whether the server is \
         there. Memory is how much more is \
         resident in the server then, for each.",
        &["connections", "TLS", "plain"],
    );
    let mut kib = [Vec::new(), Vec::new()];
    for _ in 0..plan.repetitions {
        for (kib, tls) in kib.iter_mut().zip([Some(config), None]) {
            let target = Chatroom::start();
            let before = rss(target.process());
            let mut crowd = Crowd::over(tls.cloned());
            crowd.arrive(&target, SILENT);
            crowd.ping_all(&target);
            kib.push((rss(target.process()) - before) / SILENT as f64);
        }
    }
    let [tls, plain] = kib.map(|kib| number(median(&kib), 2, " KiB"));
    row(&[SILENT.to_string(), tls, plain]);
}

fn bystander(plan: &Plan, config: &Arc<ClientConfig>) {
    head(
        "Others beside handshakes",
        &format!(
            "One who is there, without TLS, asks again and again whether the server is there, \
             while nobody comes, and while \
             {HANDSHAKES_A_SECOND} strangers a second shake hands by TLS and go: how long that \
             takes."
        ),
        &["strangers", "p50", "p99", "p99.9", "handshakes a second"],
    );
    for (name, tls) in [("none", None), ("by TLS", Some(config))] {
        let (mut percentiles, mut rates) = ([const { Vec::new() }; 3], Vec::new());
        for _ in 0..plan.repetitions {
            let target = Chatroom::start();
            let (times, rate) = round_trips(&target, tls);
            for (all, part) in percentiles.iter_mut().zip([0.5, 0.99, 0.999]) {
                all.push(times[(times.len() as f64 * part) as usize]);
            }
            rates.push(rate);
        }
        let [p50, p99, p999] = percentiles.map(|all| number(median(&all), 0, " µs"));
        row(&[name.to_owned(), p50, p99, p999, number(median(&rates), 0, "")]);
    }
}

/// A rest, which is what keeps a rate; nothing is waited for.
#[expect(clippy::disallowed_methods, reason = "a load of so many a second is made by resting")]
fn rest(time: Duration) {
    thread::sleep(time);
}

/// How long round trips take, in microseconds, the shortest first; and how many strangers came in a
/// second meanwhile.
fn round_trips(target: &dyn Target, tls: Option<&Arc<ClientConfig>>) -> (Vec<f64>, f64) {
    let (address, is_over, came) = (target.address(), AtomicBool::new(false), AtomicU64::new(0));
    let mut crowd = Crowd::new();
    crowd.arrive(target, 1);
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    let began = Instant::now();
    thread::scope(|scope| {
        if let Some(config) = tls {
            scope.spawn(|| {
                let began = Instant::now();
                while !is_over.load(Ordering::Relaxed) {
                    drop(connect(address, Some(config)));
                    let number = came.fetch_add(1, Ordering::Relaxed) + 1;
                    let due = began
                        + Duration::from_secs(number)
                            / u32::try_from(HANDSHAKES_A_SECOND).expect("few");
                    rest(due.saturating_duration_since(Instant::now()));
                }
            });
        }
        for _ in 0..ROUND_TRIPS {
            let asked = Instant::now();
            crowd.ask_all(target, 0..1, |_, _| target.ping());
            times.push(asked.elapsed().as_secs_f64() * 1e6);
            rest(REST);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    times.sort_unstable_by(f64::total_cmp);
    let rate = came.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    (times, rate)
}
