//! A server that each test leads by the hand.
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, protocol::CloseFrame},
};

use super::*;
use crate::source::{
    fault::RpcFault,
    testing::{account, address, keyed},
};

type Server = WebSocketStream<TcpStream>;

struct Listener {
    listener: TcpListener,
    config: SourceConfig,
    rpc: Rpc,
}

const MOMENT: Duration = Duration::from_millis(300);
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

impl Listener {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let config = SourceConfig {
            timeout: Duration::from_secs(20),
            silence: STEP_TIMEOUT,
            ping: STEP_TIMEOUT,
            ..SourceConfig::new("http://127.0.0.1:1".into(), url, upgrade_manager::ID)
        };
        let rpc = Rpc::new(&config);
        Self { listener, config, rpc }
    }

    /// Accepts, and answers the first `count` requests by method: with a number, not at all where
    /// that is zero, and with a refusal where there is none.
    async fn accept(
        &self,
        count: usize,
        answers: impl Fn(&str) -> Option<u64>,
    ) -> (Server, Vec<Value>) {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut server = tokio_tungstenite::accept_async(stream).await.unwrap();
        let mut requests = vec![];
        while requests.len() < count {
            let message = server.next().await.unwrap().unwrap();
            let tungstenite::Message::Text(text) = message else { continue };
            assert!(text.len() < 4_096);
            let request: Value = serde_json::from_str(&text).unwrap();
            let answer = answers(request["method"].as_str().unwrap());
            requests.push(request);
            let id = &requests.last().unwrap()["id"];
            let reply = match answer {
                Some(0) => continue,
                Some(n) => json!({"id": id, "result": n + requests.len() as u64 - 1}),
                None => {
                    let error = json!({"code": -32601, "message": "Method not found"});
                    json!({"id": id, "error": error})
                }
            };
            server.send(tungstenite::Message::text(reply.to_string())).await.unwrap();
        }
        (server, requests)
    }

    async fn connect(
        &self,
        watched: &[Pubkey],
        answers: impl Fn(&str) -> Option<u64>,
    ) -> (Result<Socket>, Server, Vec<Value>) {
        let connect = Socket::connect(&self.config, &self.rpc, watched);
        let (socket, (server, requests)) =
            tokio::join!(connect, self.accept(3 + watched.len(), answers));
        (socket, server, requests)
    }
}

async fn tell(server: &mut Server, method: &str, subscription: u64, result: &Value) {
    let params = json!({"result": result, "subscription": subscription});
    let text = json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string();
    server.send(tungstenite::Message::text(text)).await.unwrap();
}

async fn slot(server: &mut Server, slot: u64) {
    tell(server, "slotNotification", 10, &json!({"slot": slot, "root": slot - 1})).await;
}

async fn end(socket: &mut Socket) -> (CloseReason, String) {
    loop {
        match tokio::time::timeout(STEP_TIMEOUT, socket.next()).await.unwrap() {
            Ok(_) => {}
            Err(IndexerError::Socket { reason, what, .. }) => return (reason, what),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn slots_roots_and_accounts_keep_their_order() {
    let listener = Listener::start().await;
    let (socket, mut server, requests) = listener.connect(&[], |_| Some(10)).await;
    let mut socket = socket.unwrap();
    assert!(socket.has_roots());
    let methods: Vec<&str> = requests.iter().map(|r| r["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["slotSubscribe", "rootSubscribe", "programSubscribe"]);
    let options = &requests[2]["params"][1];
    assert_eq!(
        (&options["commitment"], &options["encoding"]),
        (&json!("confirmed"), &json!("base64"))
    );
    slot(&mut server, 7).await;
    let value = json!({"context": {"slot": 7}, "value": keyed(&address(1), &[1, 2])});
    tell(&mut server, "programNotification", 12, &value).await;
    tell(&mut server, "rootNotification", 11, &json!(6)).await;
    tell(&mut server, "voteNotification", 99, &json!({})).await;
    assert!(matches!(socket.next().await.unwrap(), Frame::Slot { slot: 7, root: 6 }));
    let Frame::Account { slot: 7, keyed } = socket.next().await.unwrap() else { panic!() };
    assert_eq!(keyed.pubkey, address(1).to_string());
    assert!(matches!(socket.next().await.unwrap(), Frame::Root(6)));
}

#[tokio::test]
async fn root_and_account_subscriptions_are_optional() {
    let listener = Listener::start().await;
    let basic = |method: &str| matches!(method, "slotSubscribe" | "programSubscribe").then_some(10);
    let (socket, mut server, requests) = listener.connect(&[address(1)], basic).await;
    let mut socket = socket.unwrap();
    assert!(!socket.has_roots());
    assert_eq!(requests.len(), 4);
    slot(&mut server, 7).await;
    assert!(matches!(socket.next().await.unwrap(), Frame::Slot { .. }));
}

#[tokio::test]
async fn an_unanswered_root_subscription_does_not_block() {
    let listener = Listener::start().await;
    let mute = |method: &str| Some(if method == "rootSubscribe" { 0 } else { 10 });
    let (socket, mut server, _) = listener.connect(&[], mute).await;
    let mut socket = socket.unwrap();
    assert!(!socket.has_roots());
    tell(&mut server, "rootNotification", 11, &json!(6)).await;
    assert!(matches!(socket.next().await.unwrap(), Frame::Root(6)));
    assert!(socket.has_roots(), "it has them after all");
}

#[tokio::test]
async fn slot_and_program_subscriptions_are_required() {
    for needed in ["slotSubscribe", "programSubscribe"] {
        let listener = Listener::start().await;
        let refuse = |method: &str| (method != needed).then_some(10);
        let (socket, ..) = listener.connect(&[], refuse).await;
        let Err(IndexerError::Socket { reason, what, .. }) = socket else { panic!() };
        assert_eq!(reason, CloseReason::Refused, "{what}");
        assert!(what.contains("Method not found"), "{what}");
    }
}

#[tokio::test]
async fn a_closed_watched_account_is_reported_with_its_address() {
    let listener = Listener::start().await;
    let (socket, mut server, _) = listener.connect(&[address(1)], |_| Some(10)).await;
    let mut socket = socket.unwrap();
    let mut gone = account(&Pubkey::default(), &[]);
    gone["lamports"] = json!(0);
    let there = account(&upgrade_manager::ID, &[1]);
    for value in [there, gone] {
        let value = json!({"context": {"slot": 8}, "value": value});
        tell(&mut server, "accountNotification", 13, &value).await;
    }
    let Frame::Account { slot: 8, keyed } = socket.next().await.unwrap() else { panic!() };
    assert_eq!(keyed.pubkey, address(1).to_string());
    let Frame::Closed { slot: 8, pubkey } = socket.next().await.unwrap() else { panic!() };
    assert_eq!(pubkey, address(1));
}

#[tokio::test]
async fn the_watch_list_can_change_on_a_live_socket() {
    let listener = Listener::start().await;
    let (socket, mut server, _) = listener.connect(&[address(1)], |_| Some(10)).await;
    let socket = socket.unwrap();
    socket.watch(&[address(2)]);
    let mut asked = vec![];
    while asked.len() < 2 {
        let message = tokio::time::timeout(STEP_TIMEOUT, server.next()).await.unwrap();
        if let tungstenite::Message::Text(text) = message.unwrap().unwrap() {
            let request: Value = serde_json::from_str(&text).unwrap();
            asked.push((request["method"].clone(), request["params"][0].clone()));
        }
    }
    assert_eq!(asked[0], (json!("accountUnsubscribe"), json!(13)));
    assert_eq!(asked[1], (json!("accountSubscribe"), json!(address(2).to_string())));
}

#[tokio::test]
async fn a_silent_socket_is_dead_although_pongs_arrive() {
    let mut listener = Listener::start().await;
    (listener.config.silence, listener.config.ping) = (2 * MOMENT, MOMENT / 4);
    let (socket, mut server, _) = listener.connect(&[], |_| Some(10)).await;
    let mut socket = socket.unwrap();
    slot(&mut server, 7).await;
    let pongs = tokio::spawn(async move { while let Some(Ok(_)) = server.next().await {} });
    let (reason, what) = end(&mut socket).await;
    assert_eq!(reason, CloseReason::Silent, "{what}");
    assert!(what.contains("said nothing for 0.6 s") && what.contains("messages,"), "{what}");
    let counted = listener.config.metrics.encode();
    assert!(counted.contains("reconnects_total{reason=\"silent\"} 1"), "{counted}");
    pongs.abort();
}

#[tokio::test]
async fn two_missed_pongs_end_a_silent_socket() {
    let mut listener = Listener::start().await;
    listener.config.ping = MOMENT / 2;
    let (socket, server, _) = listener.connect(&[], |_| Some(10)).await;
    let mut socket = socket.unwrap();
    // The server reads no more, so it answers no ping.
    let (reason, what) = end(&mut socket).await;
    assert_eq!(reason, CloseReason::PongMissed, "{what}");
    drop(server);
}

#[tokio::test]
async fn missed_pongs_do_not_end_a_socket_with_slots() {
    let mut listener = Listener::start().await;
    listener.config.ping = MOMENT / 3;
    let (socket, mut server, _) = listener.connect(&[], |_| Some(10)).await;
    let mut socket = socket.unwrap();
    for n in 1..=20 {
        slot(&mut server, n).await;
        tokio::time::sleep(MOMENT / 6).await;
    }
    for n in 1..=20 {
        let Frame::Slot { slot, .. } = socket.next().await.unwrap() else { panic!() };
        assert_eq!(slot, n);
    }
}

#[tokio::test]
async fn every_end_of_a_connection_has_its_reason() {
    let listener = Listener::start().await;
    let (socket, mut server, _) = listener.connect(&[], |_| Some(10)).await;
    let code = tungstenite::protocol::frame::coding::CloseCode::Away;
    let frame = CloseFrame { code, reason: "restart".into() };
    server.close(Some(frame)).await.unwrap();
    let (reason, what) = end(&mut socket.unwrap()).await;
    assert_eq!(reason, CloseReason::Closed(1001));
    assert!(what.contains("code 1001: restart"), "{what}");

    let (socket, server, _) = listener.connect(&[], |_| Some(10)).await;
    drop(server);
    let (reason, what) = end(&mut socket.unwrap()).await;
    assert!(matches!(reason, CloseReason::Closed(1006) | CloseReason::Broken), "{what}");

    let (socket, mut server, _) = listener.connect(&[], |_| Some(10)).await;
    server.send(tungstenite::Message::text("{\"method\":\"programNotification\"}")).await.unwrap();
    let (reason, what) = end(&mut socket.unwrap()).await;
    assert_eq!(reason, CloseReason::Garbled, "{what}");
}

#[tokio::test]
async fn a_full_queue_stops_reading_and_is_no_silence() {
    const MAX_MULTIPLE_ACCOUNTS: u64 = 3 * MAX_QUEUED_FRAMES as u64;
    let mut listener = Listener::start().await;
    (listener.config.silence, listener.config.ping) = (MOMENT, MOMENT / 5);
    let (socket, mut server, _) = listener.connect(&[], |_| Some(10)).await;
    let mut socket = socket.unwrap();
    let told = tokio::spawn(async move {
        for n in 1..=MAX_MULTIPLE_ACCOUNTS {
            slot(&mut server, n).await;
        }
        loop {
            slot(&mut server, MAX_MULTIPLE_ACCOUNTS + 1).await;
            tokio::time::sleep(MOMENT / 10).await;
        }
    });
    // Several times the silence: a store that is slow.
    let full = async {
        while socket.waiting() < MAX_QUEUED_FRAMES {
            tokio::time::sleep(MOMENT / 10).await;
        }
    };
    tokio::time::timeout(STEP_TIMEOUT, full).await.unwrap();
    tokio::time::sleep(4 * MOMENT).await;
    assert_eq!(socket.waiting(), MAX_QUEUED_FRAMES);
    for n in 1..=MAX_MULTIPLE_ACCOUNTS {
        let Frame::Slot { slot, .. } = socket.next().await.unwrap() else { panic!() };
        assert_eq!(slot, n, "nothing is left out");
    }
    told.abort();
}

#[tokio::test]
async fn a_rate_limited_handshake_pauses_calls_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = Listener::start().await;
    let refuse = async {
        let (mut stream, _) = listener.listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 40\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let connect = Socket::connect(&listener.config, &listener.rpc, &[]);
    let (socket, _stream) = tokio::join!(connect, refuse);
    let Err(IndexerError::Socket { reason, what, .. }) = socket else { panic!() };
    assert_eq!(reason, CloseReason::Limited, "{what}");
    assert!(what.contains("40 s"), "{what}");
    let error = listener.rpc.genesis_hash().await.unwrap_err();
    assert!(matches!(error, IndexerError::Rpc { fault: RpcFault::Limited { .. }, .. }), "{error}");
}
