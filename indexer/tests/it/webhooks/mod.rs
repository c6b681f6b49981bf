//! Delivery against a scripted receiver: order, repetition, dead letters, and secrets that must not leak.
mod facts;
mod live;
mod ready;
pub mod receiver;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hmac::{Hmac, Mac};
use indexer::{
    Announcement, Metrics, Run, Store,
    store::announcement::{AnnouncementKind, derived},
    webhooks::{self, Delivery, Hook, Pace, Secret, Spec, Target},
};
use sha2::Sha256;
use tokio::{sync::watch, task::JoinHandle};
use zeroize::Zeroizing;

use self::receiver::{Receiver, Reply};
use crate::{
    common::{TEST_TIMEOUT, fixtures::key, until},
    on_both_stores,
};

const SECRET: &str = "a secret that only two know";

/// A distinct announcement in slot 1,000 + `n`.
pub fn fact(n: u8) -> Announcement {
    Announcement {
        event_id: derived(AnnouncementKind::Expired, Some(&key(n)), 0),
        kind: "Expired".to_owned(),
        slot: 1_000 + u64::from(n),
        chain_time: Some(1_700_000_000),
        subject: Some(key(n)),
        detail: format!("{{\"proposal\":\"{}\",\"id\":{n}}}", key(n)),
    }
}

pub fn spec(name: &str, url: String) -> Spec {
    Spec { name: name.to_owned(), url, ..Spec::default() }
}

pub fn hook(spec: &Spec) -> Hook {
    let secret = Secret::new(Zeroizing::new(SECRET.as_bytes().to_vec())).unwrap();
    Target::new(spec).unwrap().with(secret)
}

/// Short waits for tests, with the real number of attempts.
pub fn fast() -> Pace {
    let ms = Duration::from_millis;
    Pace { first: ms(1), cap: ms(20), attempts: 10, idle: ms(50), gather: ms(1) }
}

/// A running delivery.
struct Running {
    stop: watch::Sender<bool>,
    _news: watch::Sender<u64>,
    task: JoinHandle<()>,
    metrics: Metrics,
}

impl Running {
    fn start(store: &Arc<dyn Store>, hooks: Vec<Hook>) -> Self {
        Self::since(store, hooks, 1_000)
    }

    fn since(store: &Arc<dyn Store>, hooks: Vec<Hook>, slot: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (news, heard) = watch::channel(0);
        let metrics = Metrics::new();
        let delivery = Delivery {
            hooks: hooks.into_iter().map(Arc::new).collect(),
            pace: fast(),
            ..Delivery::default()
        };
        let (store, counts) = (Arc::clone(store), metrics.clone());
        let task = tokio::spawn(webhooks::deliver(delivery, store, slot, counts, heard, stopped));
        Self { stop, _news: news, task, metrics }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(TEST_TIMEOUT, self.task).await.unwrap().unwrap();
    }

    /// Ends it like a kill.
    fn kill(self) {
        self.task.abort();
    }
}

async fn put(store: &Arc<dyn Store>, numbers: impl IntoIterator<Item = u8>) {
    for n in numbers {
        assert!(store.enqueue(&Run::default(), &fact(n)).await.unwrap());
    }
}

fn numbers(receiver: &Receiver) -> Vec<u64> {
    receiver.got().iter().map(|r| r.json()["proposal_id"].as_u64().unwrap()).collect()
}

/// Waits until `hook` has received everything.
async fn done(store: &Arc<dyn Store>, hook: &str) {
    until("everything was told", || async {
        let last = store.outbox(0, 1_000).await.unwrap().last().map_or(0, |r| r.id);
        store.hooks().await.unwrap().iter().any(|h| h.name == hook && h.next_id > last)
    })
    .await;
}

on_both_stores! {
    async fn messages_arrive_in_order_once_and_signed(place) {
        let (store, receiver) = (place.open().await, Receiver::start([]).await);
        put(&store, 1..=70).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        until("all arrive", || async { receiver.count() == 70 }).await;
        put(&store, [71]).await;
        done(&store, "multisig").await;
        running.end().await;
        assert_eq!(numbers(&receiver), (1..=71).collect::<Vec<_>>());
        for request in receiver.got() {
            // Checked with another library, as a receiver would.
            let header = |name: &str| request.headers.get(name).unwrap().clone();
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(format!("{}.", header("x-control-room-timestamp")).as_bytes());
            mac.update(&request.body);
            let expected = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
            assert_eq!(header("x-control-room-signature"), expected);
            assert_eq!(header("x-control-room-event"), "Expired");
            assert_eq!(header("content-type"), "application/json");
            assert_eq!(request.path, "/services/k3y-k3y-k3y");
            assert_eq!(request.json()["id"], header("x-control-room-id"));
            let sent: u64 = header("x-control-room-timestamp").parse().unwrap();
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            assert!(now.as_secs().abs_diff(sent) < 120, "{sent}");
        }
    }

    async fn a_failed_message_is_retried_before_later_ones(place) {
        let plan = [Reply::status(500), Reply::Cut, Reply::status(429), Reply::status(408), Reply::status(503)];
        let (store, receiver) = (place.open().await, Receiver::start(plan).await);
        put(&store, 1..=3).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        done(&store, "multisig").await;
        running.end().await;
        assert_eq!(numbers(&receiver), [1, 1, 1, 1, 1, 1, 2, 3]);
        let got = receiver.got();
        assert!(got[..6].iter().all(|r| r.body == got[0].body), "a repetition says the same");
        assert!(store.dead_letters().await.unwrap().is_empty());
    }

    async fn retry_after_of_a_receiver_is_respected(place) {
        let later = Reply::With(429, "retry-after: 2\r\n".into(), String::new());
        let (store, receiver) = (place.open().await, Receiver::start([later]).await);
        put(&store, [1]).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        done(&store, "multisig").await;
        running.end().await;
        let got = receiver.got();
        assert_eq!(got.len(), 2);
        let pause = got[1].at - got[0].at;
        assert!(pause >= Duration::from_millis(1_990), "{pause:?}");
    }

    async fn ten_failures_make_a_dead_letter_and_the_next_message_follows(place) {
        let (store, receiver) = (place.open().await, Receiver::start(vec![Reply::status(500); 10]).await);
        put(&store, 1..=2).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        done(&store, "multisig").await;
        assert_eq!(numbers(&receiver), [vec![1; 10], vec![2]].concat());
        let dead = store.dead_letters().await.unwrap();
        assert_eq!((dead.len(), dead[0].attempts, dead[0].row.announcement.clone()), (1, 10, fact(1)));
        assert!(dead[0].error.contains("multisig") && dead[0].error.contains("500"), "{}", dead[0].error);
        let counted = running.metrics.encode();
        for line in [
            "webhook_deliveries_total{hook=\"multisig\",outcome=\"failed\"} 9",
            "webhook_deliveries_total{hook=\"multisig\",outcome=\"dead\"} 1",
            "webhook_deliveries_total{hook=\"multisig\",outcome=\"delivered\"} 1",
            "webhook_dead_letters 1",
        ] {
            assert!(counted.contains(line), "{line} is missing in {counted}");
        }
        running.end().await;
        // As the retry command does.
        let hook = hook(&spec("multisig", receiver.url()));
        assert!(webhooks::retry(&store, &hook, &BTreeMap::new(), &dead[0]).await.is_ok());
        assert_eq!(receiver.got().last().unwrap().body, receiver.got()[0].body);
        assert!(store.dead_letters().await.unwrap().is_empty());
    }

    async fn a_dead_letter_that_fails_again_stays(place) {
        let (store, receiver) = (place.open().await, Receiver::start([Reply::status(404)]).await);
        put(&store, [1]).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        done(&store, "multisig").await;
        running.end().await;
        let dead = store.dead_letters().await.unwrap();
        assert_eq!((receiver.count(), dead[0].attempts), (1, 1), "no second try of a plain no");
        receiver.then(Reply::status(500));
        let hook = hook(&spec("multisig", receiver.url()));
        let error = webhooks::retry(&store, &hook, &BTreeMap::new(), &dead[0]).await.unwrap_err();
        assert!(error.contains("500"), "{error}");
        assert_eq!(store.dead_letters().await.unwrap().len(), 1);
    }

    async fn a_kill_between_sending_and_recording_repeats_and_skips_nothing(place) {
        let (store, receiver) = (place.open().await, Receiver::start([Reply::status(200), Reply::Hang]).await);
        put(&store, 1..=3).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        // The second message has arrived but is not recorded.
        until("the second arrives", || async { receiver.count() == 2 }).await;
        running.kill();
        let again = place.open().await;
        let running = Running::since(&again, vec![hook(&spec("multisig", receiver.url()))], 99_999);
        done(&again, "multisig").await;
        running.end().await;
        assert_eq!(numbers(&receiver), [1, 2, 2, 3]);
        let got = receiver.got();
        assert_eq!(got[1].body, got[2].body, "so the receiver can tell that it is the same");
    }

    async fn attempts_survive_a_restart(place) {
        let (store, receiver) = (place.open().await, Receiver::start([]).await);
        receiver.then(Reply::status(500));
        put(&store, [1]).await;
        for round in 1..=2 {
            let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
            let enough = round * 4;
            until("attempts", || async { receiver.count() >= enough }).await;
            running.end().await;
        }
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        done(&store, "multisig").await;
        running.end().await;
        assert_eq!(store.dead_letters().await.unwrap()[0].attempts, 10);
        // At most one repeated message per restart.
        assert!((10..=12).contains(&receiver.count()), "{}", receiver.count());
    }

    async fn a_dead_webhook_does_not_delay_others(place) {
        let (store, dead) = (place.open().await, Receiver::start([]).await);
        let (silent, live) = (Receiver::start([]).await, Receiver::start([]).await);
        dead.then(Reply::Cut);
        silent.then(Reply::Hang);
        put(&store, 1..=5).await;
        let hooks = vec![
            hook(&spec("dead", dead.url())),
            hook(&spec("silent", silent.url())),
            hook(&spec("live", live.url())),
        ];
        let running = Running::start(&store, hooks);
        done(&store, "live").await;
        assert_eq!(numbers(&live), (1..=5).collect::<Vec<_>>());
        until("the silent one was asked", || async { silent.count() > 0 }).await;
        assert!(numbers(&silent).iter().all(|n| *n == 1), "nothing follows what is not answered");
        running.kill();
    }

    async fn a_redirect_is_not_followed(place) {
        let (store, other) = (place.open().await, Receiver::start([]).await);
        let to = format!("location: {}\r\n", other.url());
        let plan = [301, 302, 307, 308].map(|s| Reply::With(s, to.clone(), String::new()));
        let receiver = Receiver::start(plan).await;
        put(&store, 1..=5).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        done(&store, "multisig").await;
        running.end().await;
        assert_eq!((other.count(), numbers(&receiver)), (0, vec![1, 2, 3, 4, 5]));
        let dead = store.dead_letters().await.unwrap();
        assert_eq!(dead.len(), 4);
        assert!(dead.iter().all(|d| d.error.contains("not followed")), "{dead:?}");
    }

    async fn an_endless_answer_is_cut(place) {
        let plan = [Reply::Endless(500), Reply::Endless(200)];
        let (store, receiver) = (place.open().await, Receiver::start(plan).await);
        put(&store, [1]).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        done(&store, "multisig").await;
        running.end().await;
        assert_eq!(numbers(&receiver), [1, 1]);
        assert!(receiver.poured() < 50 << 20, "{} bytes were taken", receiver.poured());
    }

    async fn a_new_webhook_gets_no_old_announcements(place) {
        let (store, receiver) = (place.open().await, Receiver::start([]).await);
        put(&store, 1..=3).await;
        let running = Running::since(&store, vec![hook(&spec("multisig", receiver.url()))], 1_003);
        done(&store, "multisig").await;
        put(&store, [4]).await;
        done(&store, "multisig").await;
        running.end().await;
        assert_eq!(numbers(&receiver), [4]);
    }

    async fn a_webhook_gets_only_its_kinds_with_its_templates(place) {
        let (store, receiver) = (place.open().await, Receiver::start([]).await);
        let (discord, slack) = (Receiver::start([]).await, Receiver::start([]).await);
        put(&store, [1]).await;
        let created = Announcement {
            event_id: [7; 32],
            kind: "Created".into(),
            slot: 1_050,
            detail: format!("{{\"program\":\"{}\",\"id\":9,\"action\":\"Upgrade\",\"version\":4}}", key(50)),
            ..fact(2)
        };
        store.enqueue(&Run::default(), &created).await.unwrap();
        let only = Spec { kinds: Some(vec!["Expired".into()]), ..spec("only", receiver.url()) };
        let words = Spec {
            format: Some("discord".into()),
            templates: [("Created".to_owned(), "No. {id} {{new}} v{version} {signature}".to_owned())].into(),
            ..spec("words", discord.url())
        };
        let slack_spec = Spec { format: Some("slack".into()), ..spec("slack", slack.url()) };
        let running = Running::start(&store, vec![hook(&only), hook(&words), hook(&slack_spec)]);
        for name in ["only", "words", "slack"] {
            done(&store, name).await;
        }
        running.end().await;
        assert_eq!(numbers(&receiver), [1]);
        let said = discord.got()[1].json();
        assert_eq!(said["content"], "No. 9 {new} v4 -");
        assert_eq!(said["allowed_mentions"]["parse"], serde_json::json!([]));
        let said = slack.got()[1].json();
        let expected = format!("the upgrade of {} to version 4", key(50));
        assert!(said["text"].as_str().unwrap().contains(&expected), "{said}");
        assert_eq!(said.as_object().unwrap().len(), 1);
    }

    async fn an_unreadable_announcement_becomes_a_dead_letter(place) {
        let (store, receiver) = (place.open().await, Receiver::start([]).await);
        let newer = Announcement { kind: "Teleported".into(), ..fact(1) };
        store.enqueue(&Run::default(), &newer).await.unwrap();
        put(&store, [2]).await;
        let running = Running::start(&store, vec![hook(&spec("multisig", receiver.url()))]);
        done(&store, "multisig").await;
        running.end().await;
        assert_eq!(numbers(&receiver), [2]);
        assert!(store.dead_letters().await.unwrap()[0].error.contains("Teleported"));
    }

    async fn no_error_shows_the_address_or_the_secret(place) {
        let echo = |status| {
            Reply::With(status, String::new(), format!("Cannot POST /services/k3y-k3y-k3y\u{1b}[2J {SECRET}"))
        };
        let receiver = Receiver::start([echo(400)]).await;
        let store = place.open().await;
        put(&store, 1..=2).await;
        let mut closed = spec("multisig", receiver.url());
        let running = Running::start(&store, vec![hook(&closed)]);
        done(&store, "multisig").await;
        running.end().await;
        // The receiver is gone.
        closed.name = "closed".to_owned();
        drop(receiver);
        let running = Running::start(&store, vec![hook(&closed)]);
        done(&store, "closed").await;
        let counted = running.metrics.encode();
        running.end().await;
        let dead = store.dead_letters().await.unwrap();
        assert_eq!(dead.len(), 3, "{dead:?}");
        for text in dead.iter().map(|d| d.error.clone()).chain([counted, format!("{:?}", hook(&closed))]) {
            assert!(!text.contains("k3y") && !text.contains(SECRET) && !text.contains('\u{1b}'), "{text}");
        }
        let refused = &dead.iter().find(|d| d.hook == "closed").unwrap().error;
        assert!(refused.contains("cannot be reached"), "{refused}");
    }
}

#[tokio::test]
async fn a_test_message_says_that_nothing_happened() {
    let receiver = Receiver::start([Reply::status(204), Reply::status(401)]).await;
    let hook =
        hook(&Spec { kinds: Some(vec!["Executed".into()]), ..spec("multisig", receiver.url()) });
    assert_eq!(webhooks::test(&hook, &BTreeMap::new()).await.unwrap(), 204);
    let request = &receiver.got()[0];
    assert_eq!(request.headers["x-control-room-event"], "Test");
    assert!(request.json()["text"].as_str().unwrap().contains("Nothing has happened"));
    assert!(request.headers["x-control-room-signature"].starts_with("v1="));
    assert!(webhooks::test(&hook, &BTreeMap::new()).await.unwrap_err().contains("401"));
}
