//! A proxy in front of Postgres that counts client messages and cuts all connections after any of them.
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Code of an SSLRequest, sent before the startup message.
const TLS_PLEASE: [u8; 4] = 80_877_103i32.to_be_bytes();

pub struct Door {
    port: u16,
    state: Arc<State>,
}

struct State {
    /// Messages until the cut; negative for never.
    left: AtomicI64,
    open: watch::Sender<bool>,
}

impl Door {
    /// A proxy to the server in `url`, and the address to connect to.
    pub async fn before(url: &str) -> (Self, String) {
        let (server, database) = url.rsplit_once('/').unwrap();
        let (who, server) = server.rsplit_once('@').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { left: AtomicI64::new(-1), open: watch::Sender::new(true) });
        let door = Self { port, state: Arc::clone(&state) };
        tokio::spawn(accept(listener, server.to_owned(), state));
        let through = format!("{who}@127.0.0.1:{}/{database}", door.port);
        (door, through)
    }

    /// Cuts after `messages` more.
    pub fn shut_after(&self, messages: i64) {
        self.state.left.store(messages, Ordering::SeqCst);
    }

    /// Accepts connections again; returns whether it had cut.
    pub fn open(&self) -> bool {
        self.state.left.store(-1, Ordering::SeqCst);
        !self.state.open.send_replace(true)
    }
}

async fn accept(listener: TcpListener, server: String, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut open = state.open.subscribe();
        if !*open.borrow_and_update() {
            continue;
        }
        let (server, state) = (server.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            tokio::select! {
                _ = carry(client, server, &state) => {}
                _ = open.wait_for(|open| !open) => {}
            }
        });
    }
}

async fn carry(client: TcpStream, server: TcpStream, state: &State) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::io::copy(&mut from_server, &mut to_client);
    let there = async {
        let mut greeted = false;
        loop {
            let mut message = vec![];
            if greeted {
                message.push(from_client.read_u8().await?);
            }
            let length = from_client.read_u32().await?;
            message.extend(length.to_be_bytes());
            let start = message.len();
            message.resize(start + usize::try_from(length).unwrap().saturating_sub(4), 0);
            from_client.read_exact(&mut message[start..]).await?;
            to_server.write_all(&message).await?;
            greeted = greeted || !message[start..].starts_with(&TLS_PLEASE);
            if state.left.fetch_sub(1, Ordering::SeqCst) == 1 {
                state.open.send_replace(false);
            }
        }
    };
    tokio::select! {
        ended = back => ended.map(|_| ()),
        ended = there => ended,
    }
}
