//! What those who keep to the rules notice of those who don't.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use chatroom_proto::{
    ASKS_UNANSWERED_MAX, ClientFrame, Notification, Request, ServerFrame, Tag, codec,
};
use integration_tests::program::ServerProgram;
use integration_tests::test_client::{TestClient, hello, public};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
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
    /// They say as much as goes through the line, whatever the answers are, and come again when
    /// they are hung up on.
    Messages,
    /// They connect again and again, say half a hello, and stay as long as they may.
    Handshakes,
}

/// What one row says.
struct Row {
    pings: Vec<Duration>,
    heard: u64,
    /// When the server hung up on the one who keeps to the rules, because it could not read all
    /// that was said.
    hung_up_after: Option<Duration>,
    cpu: f64,
    memory_kib: f64,
}

pub(crate) fn run(plan: &Plan) {
    table::head(
        "Floods",
        "One asks again and again whether the server is there, and hears what is said in General, \
         while ten make trouble from one other \
         address. Everybody shares this machine, the troublemakers, too, so the times are upper \
         bounds. CPU is the server's, of one \
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
        let Row { mut pings, heard, hung_up_after, cpu, memory_kib } =
            measure(&server, trouble, 5 * plan.cpu);
        pings.sort_unstable();
        let at = |thousandth: usize| {
            let ping = pings.get(pings.len().saturating_sub(1) * thousandth / 1_000);
            ping.map_or_else(String::new, |ping| format!("{} µs", ping.as_micros()))
        };
        let hung_up = hung_up_after.map_or_else(String::new, |after| {
            format!(", then hung up on as too slow, after {:.1} s", after.as_secs_f64())
        });
        table::row(&[
            name.to_owned(),
            pings.len().to_string(),
            at(500),
            at(990),
            at(1_000),
            format!("{heard}{hung_up}"),
            format!("{:.0} %", 100.0 * cpu),
            format!("{:.1} MiB", memory_kib / 1024.0),
        ]);
        server.kill();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measure(server: &ServerProgram, trouble: Trouble, period: Duration) -> Row {
    let mut ann = TestClient::come(server.address(), "ann").await;
    ann.do_(Request::Ping).await;
    let (memory, cpu) = (process::rss(server.id()), process::cpu(server.id()));
    let (over, is_over) = oneshot::channel();
    let address = server.address();
    let troublemakers = thread::spawn(move || all_make_trouble(trouble, address, is_over));
    let (mut pings, mut heard) = (Vec::new(), 0);
    let began = Instant::now();
    let mut hung_up_after = None;
    while began.elapsed() < period {
        match ping(&mut ann, &mut heard).await {
            Some(time) => pings.push(time),
            None => {
                hung_up_after = Some(began.elapsed());
                break;
            }
        }
        tokio::time::sleep(PING_EVERY).await;
    }
    let row = Row {
        pings,
        heard,
        hung_up_after,
        cpu: (process::cpu(server.id()) - cpu).div_duration_f64(began.elapsed()),
        memory_kib: process::rss(server.id()) - memory,
    };
    drop(over);
    troublemakers.join().expect("troublemakers make no mistakes");
    row
}

/// How long an answer takes, and what is heard meanwhile; nothing, when the server has hung up.
async fn ping(ann: &mut TestClient, heard: &mut u64) -> Option<Duration> {
    let asked = Instant::now();
    if !ann.try_say(Request::Ping).await {
        return None;
    }
    loop {
        match ann.next().await? {
            ServerFrame::Response { result, .. } => {
                result.expect("this one is no trouble");
                return Some(asked.elapsed());
            }
            ServerFrame::Notification(Notification::GroupPost { .. }) => *heard += 1,
            ServerFrame::Notification(_) => {}
        }
    }
}

/// One thread for all of them: they are to trouble the server, not to take the machine away from
/// it.
#[tokio::main(flavor = "current_thread")]
async fn all_make_trouble(trouble: Trouble, address: SocketAddr, is_over: oneshot::Receiver<()>) {
    let count = if trouble == Trouble::Nothing { 0 } else { TROUBLEMAKERS };
    for number in 0..count {
        tokio::spawn(make_trouble(trouble, address, number << 32));
    }
    let _ = is_over.await;
}

async fn make_trouble(trouble: Trouble, address: SocketAddr, first: u64) {
    for number in first.. {
        let hello = frame(0, Request::Hello(hello(&format!("eve{number}"))));
        let Ok(stream) = connect(address).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let (mut reader, mut writer) = stream.into_split();
        let reading = async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await };
        if trouble == Trouble::Messages {
            let saying = async {
                writer.write_all(&hello).await?;
                say_too_much(&mut writer, number << 16).await
            };
            tokio::select! {
                _ = reading => {}
                _ = saying => {}
            }
        } else {
            tokio::spawn(async move {
                let _ = writer.write_all(&hello[..hello.len() - 1]).await;
                reading.await
            });
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((FAR, 0)))?;
    socket.connect(address).await
}

async fn say_too_much(writer: &mut OwnedWriteHalf, first: u64) -> io::Result<()> {
    let mut id = first;
    loop {
        let mut batch = Vec::new();
        for number in 1..=ASKS_UNANSWERED_MAX {
            id += 1;
            batch.extend(frame(number, public("General", id, "buy now")));
        }
        writer.write_all(&batch).await?;
    }
}

fn frame(tag: u32, request: Request) -> Vec<u8> {
    codec::encode(&ClientFrame { tag: Tag(tag), request }).expect("a short frame").to_vec()
}
