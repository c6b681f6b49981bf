//! A TCP relay to a chain, on its own loopback port. A test cuts its connections to simulate a node
//! that is down.
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

/// Bytes that only a request to send a transaction contains.
const SENDS: &[u8] = b"sendTransaction";

/// A relay to one address. It runs until the process ends.
pub struct Relay {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
    down: Arc<AtomicBool>,
}

impl Relay {
    /// Relays to `url`, of which only host and port count.
    pub fn to(url: &str) -> Self {
        Self::with_sends(url, u32::MAX)
    }

    /// The same, but only the first `sends` transactions pass, so that a job of many transactions
    /// stays half done while a test looks at it. All other requests pass.
    pub fn with_sends(url: &str, sends: u32) -> Self {
        let (_, target) = url.split_once("://").expect("an address with a scheme");
        let target: SocketAddr = target.trim_end_matches('/').parse().expect("a host and a port");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a port");
        let (open, down) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicBool::new(false)));
        let (all, is_down) = (Arc::clone(&open), Arc::clone(&down));
        let left = Arc::new(AtomicU32::new(sends));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if !is_down.load(Ordering::SeqCst) {
                    // A stopped chain refuses the connection; the client then sees a closed one.
                    if let Ok(server) = TcpStream::connect(target) {
                        relay(&all, &left, &client, &server)
                            .expect("two threads and their sockets");
                    }
                }
            }
        });
        Self { address, open, down }
    }

    /// The relay's own address under `scheme`.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Cuts every connection and accepts new ones at once.
    pub fn cut(&self) {
        for stream in self.open.lock().expect("no panic while locked").drain(..) {
            // A connection that has ended already needs no cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Cuts every connection and refuses new ones until [`Self::up`].
    pub fn down(&self) {
        self.down.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Accepts connections again.
    pub fn up(&self) {
        self.down.store(false, Ordering::SeqCst);
    }
}

fn relay(
    all: &Mutex<Vec<TcpStream>>,
    left: &Arc<AtomicU32>,
    client: &TcpStream,
    server: &TcpStream,
) -> io::Result<()> {
    let mut all = all.lock().expect("no panic while locked");
    for (from, to, left) in [(client, server, Some(left)), (server, client, None)] {
        all.push(from.try_clone()?);
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        let left = left.map(Arc::clone);
        thread::spawn(move || {
            let passed = match left {
                None => io::copy(&mut from, &mut to).map(|_| Passed::All),
                Some(left) => requests(&mut from, &mut to, &left),
            };
            // The connection of a held-back request stays open, so that its sender waits.
            if let Ok(Passed::Held) = passed {
                return;
            }
            // Any other end of one direction closes both.
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

/// How one direction of a connection ended.
enum Passed {
    All,
    Held,
}

/// Copies requests until `left` transactions have been sent.
fn requests(from: &mut TcpStream, to: &mut TcpStream, left: &AtomicU32) -> io::Result<Passed> {
    // The end of the previous read, because `SENDS` may be split between two reads.
    let (mut tail, mut buffer) = (vec![], [0; 16_384]);
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok(Passed::All);
        }
        tail.extend_from_slice(&buffer[..n]);
        for _ in tail.windows(SENDS.len()).filter(|window| *window == SENDS) {
            let take = |left: u32| left.checked_sub(1);
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
                return Ok(Passed::Held);
            }
        }
        to.write_all(&buffer[..n])?;
        tail.drain(..tail.len().saturating_sub(SENDS.len() - 1));
    }
}
