//! The local chain: an embedded surfnet on loopback ports, offline. The only file that may use the
//! surfnet's Solana major (4.x); everything else reaches the chain over its URLs.
use std::{
    net::TcpListener,
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, bail};
use crossbeam_channel::{Receiver, Sender, unbounded};
use solana_account::Account;
use surfpool_core::{
    runloops::start_local_surfnet_runloop,
    surfnet::{
        locker::SurfnetSvmLocker,
        svm::{SurfnetSvm, SurfnetSvmConfig},
    },
};
use surfpool_types::{
    BlockProductionMode, ClockCommand, RpcConfig, SimnetCommand, SimnetConfig, SimnetEvent,
    SurfpoolConfig,
};

use crate::chain::records;

/// How long the chain may take to answer its first request, and to stop.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Options for the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainConfig {
    /// Milliseconds of one slot: 50 in tests, 400 for people.
    pub slot_ms: u64,
    /// Port of the JSON-RPC; 0 takes a free one.
    pub http_port: u16,
    /// Port of the websocket; 0 takes a free one.
    pub ws_port: u16,
    /// How many of [`crate::chain::records`] are there from the start.
    pub records: u32,
}

impl ChainConfig {
    /// Free ports and slots of `slot_ms`.
    #[must_use]
    pub fn with_slots_of(slot_ms: u64) -> Self {
        Self { slot_ms, http_port: 0, ws_port: 0, records: 0 }
    }
}

/// A running chain. It stops when it is dropped.
pub struct LocalChain {
    http: String,
    ws: String,
    commands: Sender<SimnetCommand>,
    runloop: Option<JoinHandle<()>>,
}

impl LocalChain {
    /// Starts a chain and returns when it answers.
    ///
    /// # Errors
    /// A port that is taken, or a chain that does not come up within 30 seconds.
    pub fn start(config: ChainConfig) -> Result<Self> {
        if config.slot_ms == 0 {
            bail!("A slot lasts at least 1 ms: give --slot-ms a higher number.");
        }
        let [http_port, ws_port] = reserve([config.http_port, config.ws_port])?;
        let simnet = SimnetConfig {
            offline_mode: true,
            remote_rpc_url: None,
            slot_time: config.slot_ms,
            block_production_mode: BlockProductionMode::Clock,
            // Profiling runs every transaction once more for each of its instructions.
            instruction_profiling_enabled: false,
            ..SimnetConfig::default()
        };
        let (mut svm, events, geyser) = SurfnetSvm::new(SurfnetSvmConfig {
            slot_time: config.slot_ms,
            instruction_profiling_enabled: false,
            ..SurfnetSvmConfig::default()
        })
        .map_err(|e| anyhow!("The local chain's virtual machine does not start: {e}"))?;
        svm.genesis_config.creation_time = creation_time();
        set_records(&mut svm, config.records)?;
        let rpc = RpcConfig {
            bind_host: "127.0.0.1".into(),
            bind_port: http_port,
            ws_port,
            ..RpcConfig::default()
        };
        let surfnet = SurfpoolConfig { simnets: vec![simnet], rpc, ..SurfpoolConfig::default() };
        let (commands, inbox) = unbounded();
        let sender = commands.clone();
        // The run loop blocks in a select of its own, so it gets a thread and a runtime of its own;
        // it blocks in place, which only the multi-thread runtime allows.
        let runloop = spawn("surfnet", move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let ended = match &runtime {
                Ok(runtime) => runtime
                    .block_on(start_local_surfnet_runloop(
                        SurfnetSvmLocker::new(svm),
                        surfnet,
                        sender,
                        inbox,
                        geyser,
                    ))
                    .map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            if let Err(reason) = ended {
                tracing::error!("The local chain stopped: {reason}");
            }
        })?;
        let chain = Self {
            http: format!("http://127.0.0.1:{http_port}"),
            ws: format!("ws://127.0.0.1:{ws_port}"),
            commands,
            runloop: Some(runloop),
        };
        wait_until_up(&events)?;
        drain(events)?;
        Ok(chain)
    }

    /// URL of the JSON-RPC.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.http
    }

    /// URL of the websocket.
    #[must_use]
    pub fn ws(&self) -> &str {
        &self.ws
    }

    /// Makes later slots last `slot_ms`.
    ///
    /// # Errors
    /// The chain has stopped.
    pub fn set_slot_time(&self, slot_ms: u64) -> Result<()> {
        self.commands
            .send(SimnetCommand::CommandClock(None, ClockCommand::UpdateSlotInterval(slot_ms)))
            .map_err(|_| anyhow!("The local chain has stopped; start it again."))
    }
}

impl Drop for LocalChain {
    fn drop(&mut self) {
        // Sending fails only when the run loop has ended already.
        drop(self.commands.send(SimnetCommand::CommandClock(None, ClockCommand::Pause)));
        drop(self.commands.send(SimnetCommand::Terminate(None)));
        if let Some(runloop) = self.runloop.take() {
            drop(runloop.join());
        }
    }
}

/// Puts `count` records on a chain that has no subscribers yet. The surfnet's own `set_account` copies the
/// list of the owner's accounts for each record, which is quadratic.
fn set_records(svm: &mut SurfnetSvm, count: u32) -> Result<()> {
    let refused = |e: surfpool_core::error::SurfpoolError| {
        anyhow!("The local chain does not take the version records: {e}")
    };
    let owner = upgrade_manager::ID;
    let mut addresses = Vec::new();
    for n in 0..count {
        let address = records::address(n);
        let data = records::bytes(n)?;
        let account = Account { lamports: records::LAMPORTS, data, owner, ..Account::default() };
        svm.inner.set_account(address, account).map_err(refused)?;
        addresses.push(address.to_string());
    }
    if addresses.is_empty() {
        return Ok(());
    }
    let key = owner.to_string();
    svm.accounts_by_owner.store(key, addresses).map_err(|e| refused(e.into()))
}

/// A creation time that differs between chains. The genesis hash covers it: with a constant, every chain
/// would have the same hash, and a mirror of yesterday's chain would pass for a mirror of today's.
fn creation_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The asked ports, checked, with a free one for every 0. All are held at once, so that the kernel
/// cannot give one out twice.
fn reserve<const N: usize>(ports: [u16; N]) -> Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut out = ports;
    for port in &mut out {
        let listener = TcpListener::bind(("127.0.0.1", *port)).with_context(|| {
            format!("Port {port} on 127.0.0.1 is taken: choose another, or 0 for a free one.")
        })?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(out)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(body).context("No thread is left.")
}

fn wait_until_up(events: &Receiver<SimnetEvent>) -> Result<()> {
    loop {
        match events
            .recv_timeout(START_TIMEOUT)
            .context("The local chain did not come up in time.")?
        {
            SimnetEvent::CoreStarted(_) => return Ok(()),
            SimnetEvent::Aborted(reason) => bail!("The local chain gave up: {reason}"),
            _ => {}
        }
    }
}

/// Empties the event channel, which is unbounded and gets at least one message a slot.
fn drain(events: Receiver<SimnetEvent>) -> Result<()> {
    spawn("surfnet-events", move || {
        for event in events {
            if let SimnetEvent::ErrorLog(_, message) = event {
                tracing::debug!("local chain: {message}");
            }
        }
    })?;
    Ok(())
}
