//! What those who keep to the rules notice of those who don't.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use chatroom_proto::{ASKS_UNANSWERED_MAX, ClientFrame, Notification, Request, ServerFrame, Tag, codec};
use integration_tests::guest::{Guest, hello, public};
use integration_tests::program::ServerProgram;
use rustix::net::{self, AddressFamily, SocketType};
use tokio::time::Instant;

use super::{Plan, process, table};

/// How many make trouble.
const TROUBLEMAKERS: u64 = 10;

/// Where they are: an address that counts as any other.
const FAR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);

/// How often the one who keeps to the rules asks, within the budget.
const PING_EVERY: Duration = Duration::from_millis(10);

/// What is wrong with the troublemakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// There are none.
    Nothing,
    /// They say as much as goes through the line, whatever the answers are, and come again when they are hung up on.
    Messages,
    /// They connect again and again, say half a hello, and stay as long as they may.
    Handshakes,
}

/// What one row says.
struct Row {
    pings: Vec<Duration>,
    heard: u64,
    cpu: f64,
    memory_kib: f64,
}

pub(crate) fn run(plan: &Plan) {
    table::head(
        "Floods",
        "One asks again and again whether the server is there, and hears what is said in General, while ten make trouble from one other \
         address. Everybody shares this machine, the troublemakers, too, so the times are upper bounds. CPU is the server's, of one \
         processor; memory is how much more is resident in the end.",
        &["trouble", "pings", "p50", "p99", "worst", "messages heard", "server CPU", "memory"],
    );
    for (name, trouble, arguments) in [
        ("none", Trouble::Nothing, &[][..]),
        ("messages without an end", Trouble::Messages, &[]),
        ("the same, where there are no budgets", Trouble::Messages, &["--rate", "0"]),
        ("handshakes without an end", Trouble::Handshakes, &[]),
    ] {
        let server = ServerProgram::start_with(arguments);
        let Row { mut pings, heard, cpu, memory_kib } = measure(&server, trouble, 5 * plan.cpu);
        pings.sort_unstable();
        let at =
            |thousandth: usize| format!("{} µs", pings[(pings.len() - 1) * thousandth / 1_000].as_micros());
        table::row(&[
            name.to_owned(),
            pings.len().to_string(),
            at(500),
            at(990),
            at(1_000),
            heard.to_string(),
            format!("{:.0} %", 100.0 * cpu),
            format!("{:.1} MiB", memory_kib / 1024.0),
        ]);
        server.kill();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measure(server: &ServerProgram, trouble: Trouble, period: Duration) -> Row {
    let mut ann = Guest::come(server.address(), "ann").await;
    ann.do_(Request::Ping).await;
    let (memory, cpu) = (process::rss(server.id()), process::cpu(server.id()));
    let (is_over, names) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let threads: Vec<_> = (0..if trouble == Trouble::Nothing { 0 } else { TROUBLEMAKERS })
        .map(|_| {
            let (address, is_over, names) = (server.address(), Arc::clone(&is_over), Arc::clone(&names));
            thread::spawn(move || make_trouble(trouble, address, &is_over, &names))
        })
        .collect();
    let (mut pings, mut heard) = (Vec::new(), 0);
    let began = Instant::now();
    while began.elapsed() < period {
        let asked = Instant::now();
        ann.say(Request::Ping).await;
        loop {
            match ann.frame().await {
                Some(ServerFrame::Response { result, .. }) => {
                    result.expect("this one is no trouble");
                    break;
                }
                Some(ServerFrame::Notification(Notification::GroupPost { .. })) => heard += 1,
                Some(ServerFrame::Notification(_)) => {}
                None => panic!("the server hung up on the wrong one"),
            }
        }
        pings.push(asked.elapsed());
        tokio::time::sleep(PING_EVERY).await;
    }
    let row = Row {
        pings,
        heard,
        cpu: (process::cpu(server.id()) - cpu).div_duration_f64(began.elapsed()),
        memory_kib: process::rss(server.id()) - memory,
    };
    is_over.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().expect("troublemakers make no mistakes"));
    row
}

fn make_trouble(trouble: Trouble, address: SocketAddr, is_over: &AtomicBool, names: &AtomicU64) {
    let mut open = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let name = format!("eve{}", names.fetch_add(1, Ordering::Relaxed));
        let hello = frame(0, Request::Hello(hello(&name)));
        let Ok(mut stream) = connect(address) else {
            thread::yield_now();
            continue;
        };
        match trouble {
            Trouble::Nothing => return,
            Trouble::Messages => {
                if stream.write_all(&hello).is_ok() {
                    let reading = stream.try_clone().map(|mut stream| {
                        thread::spawn(move || {
                            let mut scratch = vec![0; 64 * 1024];
                            while stream.read(&mut scratch).is_ok_and(|read| read > 0) {}
                        })
                    });
                    say_too_much(&mut stream, is_over, names);
                    let _ = stream.shutdown(Shutdown::Both);
                    reading.into_iter().for_each(|reading| reading.join().expect("it only reads"));
                }
            }
            Trouble::Handshakes => {
                let _ = stream.write_all(&hello[..hello.len() - 1]);
                if stream.set_nonblocking(true).is_ok() {
                    open.push(stream);
                }
                // Those that were turned away are of no more use.
                open.retain(is_quiet);
            }
        }
    }
}

/// Whether the server has said nothing, not even that it hangs up.
fn is_quiet(stream: &TcpStream) -> bool {
    matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    net::bind(&socket, &SocketAddr::from((FAR, 0)))?;
    net::connect(&socket, &address)?;
    Ok(TcpStream::from(socket))
}

fn say_too_much(stream: &mut TcpStream, is_over: &AtomicBool, ids: &AtomicU64) {
    let mut batch = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        batch.clear();
        for number in 1..=ASKS_UNANSWERED_MAX {
            let id = ids.fetch_add(1, Ordering::Relaxed);
            batch.extend(frame(number, public("General", id, "buy now")));
        }
        if stream.write_all(&batch).is_err() {
            return;
        }
    }
}

fn frame(tag: u32, request: Request) -> Vec<u8> {
    codec::encode(&ClientFrame { tag: Tag(tag), request }).expect("a short frame").to_vec()
}
