//! A stranger sends lamports to the address of a future proposal: they make an account there, but
//! no proposal.
use std::{
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use e2e::{
    fault_proxy::{Change, FaultProxy, Rule},
    live::Live,
    robot::{self, SCREEN_TIMEOUT},
};
use sandbox::chain::local_rpc::{self, SOL};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use upgrade_manager::seeds;

fn address(text: &str) -> Pubkey {
    text.parse().expect("an address")
}

/// Sends lamports to the empty address `to` and waits until they arrive.
fn send_lamports(chain: &Live, to: &Pubkey) {
    let client = chain.chain_client();
    chain.run(local_rpc::airdrop(&client, to, SOL)).expect("lamports");
    let end = Instant::now() + SCREEN_TIMEOUT;
    loop {
        if let Some(found) = chain.run(client.account(to)).expect("the chain answers") {
            // The system program owns every account that has only lamports.
            assert_eq!(found.owner, Pubkey::default());
            return;
        }
        assert!(Instant::now() < end, "no lamports arrive at {to}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A proxy to the chain that refuses to list the accounts of any program.
fn without_lists(chain: &Live) -> FaultProxy {
    let rule = |method: &str, optional| Rule {
        method: method.to_owned(),
        params: None,
        after: 0,
        calls: None,
        optional,
        change: Change::Error(json!({"code": -32_601, "message": "Method not found"})),
    };
    let rules = vec![rule("getProgramAccounts", false), rule("getProgramAccountsV2", true)];
    FaultProxy::start(&chain.ready.http, rules)
}

#[test]
fn lamports_at_the_next_proposals_address_neither_block_nor_fake_a_proposal() {
    let chain = Live::start(2, 100, &[]);
    let (program, multisig) = (&chain.ready.program, chain.ready.multisig.as_deref());
    let multisig = address(multisig.expect("a seeded chain"));
    // 0 is the program's proposal. Proposals about the multisig are numbered in the same row.
    let made = chain.done(1, &["multisig", "propose-change", "--timelock-hours", "72", "--yes"]);
    let proposal = made["proposal"].as_str().expect("an address");
    assert_eq!(address(proposal), seeds::governance(&multisig, 1).0);
    for id in [1, 7] {
        send_lamports(&chain, &seeds::proposal(&address(program), &multisig, id).0);
    }

    // Neither the node nor a mirror has a list, so the control room derives the addresses that the
    // id can have.
    let (proxy, data) = (without_lists(&chain), chain.folder("no-mirror"));
    let approve = |id: &str| -> (Output, Value) {
        let out = Command::new(robot::control_room())
            .args(["--rpc-url", proxy.url(), "--ws-url", &chain.ready.ws, "--data-dir"])
            .arg(&data)
            .args(["--keypair", &chain.key(2)])
            .args(["approve", "--json", "--program", program, "--proposal", id])
            .output()
            .expect("the control room starts");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains(&format!("the accounts of program {program} alone")), "{said}");
        let told = serde_json::from_slice(&out.stdout);
        (out, told.unwrap_or_else(|e| panic!("{e}: {said}")))
    };
    let (out, shown) = approve("1");
    assert_eq!(out.status.code(), Some(2), "it is shown and not signed: {shown:#}");
    assert_eq!(shown["proposal"], proposal, "{shown:#}");
    let (out, refused) = approve("7");
    assert_eq!(out.status.code(), Some(1), "{refused:#}");
    let error = refused["error"].as_str().expect("a sentence");
    assert!(error.contains("has no proposal 7"), "{error}");
    assert!(proxy.unused().is_empty(), "the node listed accounts");
}
