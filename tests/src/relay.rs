//! A way to a chain that can be cut: a TCP relay on a loopback port of its own.
use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// A relay to one address. It ends with the process.
pub struct Relay {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
    down: Arc<AtomicBool>,
}

impl Relay {
    /// Relays to `url`, of which only host and port count.
    pub fn to(url: &str) -> Self {
        let (_, target) = url.split_once("://").expect("an address with a scheme");
        let target: SocketAddr = target.trim_end_matches('/').parse().expect("a host and a port");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a port");
        let (open, down) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicBool::new(false)));
        let (all, is_down) = (Arc::clone(&open), Arc::clone(&down));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if !is_down.load(Ordering::SeqCst) {
                    // A chain that is gone refuses; the client then sees a closed connection.
                    if let Ok(server) = TcpStream::connect(target) {
                        relay(&all, &client, &server).expect("two threads and their sockets");
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

    /// Cuts every connection; new ones are taken at once.
    pub fn cut(&self) {
        for stream in self.open.lock().expect("no panic while locked").drain(..) {
            // One that has ended already is as good as cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Cuts every connection and refuses new ones until [`Self::up`].
    pub fn down(&self) {
        self.down.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Takes connections again.
    pub fn up(&self) {
        self.down.store(false, Ordering::SeqCst);
    }
}

fn relay(all: &Mutex<Vec<TcpStream>>, client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    let mut all = all.lock().expect("no panic while locked");
    for (from, to) in [(client, server), (server, client)] {
        all.push(from.try_clone()?);
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            // Whatever ends one direction ends both.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}
