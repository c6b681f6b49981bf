//! A new multisig. Its address derives from a create key that is generated here, signs once and is dropped.
use std::sync::Arc;

use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{MultisigConfig, MultisigRules},
};

use crate::{
    error::Result,
    instructions,
    keys::signer::{KeypairSigner, Signer},
    multisig::rules,
    preflight::{check::Check, rule_check},
    setup::manager::{SetupManager, SetupPreflight},
};

impl SetupManager {
    /// Prepares a multisig; the loaded key pays. Members are sorted here.
    ///
    /// # Errors
    /// The network's. A rule that does not hold is a failed check.
    pub async fn multisig(&self, mut args: MultisigRules) -> Result<SetupPreflight> {
        args.members.sort_by_key(|m| m.key);
        let create: Arc<dyn Signer> = Arc::new(KeypairSigner::new(Keypair::new()));
        let address = seeds::multisig(&create.pubkey()).0;
        let made = MultisigConfig::new(args.clone(), (create.pubkey(), 0), Pubkey::default(), 0);
        let mut preflight = self.start("multisig create", format!("Create the multisig {address}"));
        preflight.subject = Some(address);
        preflight.fact("Multisig, new at every run", address);
        preflight.fact("Create key", create.pubkey());
        preflight.facts.extend(rules::rule_facts(&args));
        preflight.check(rule_check::check(&made, "The multisig obeys the chain's rules."));
        if made.is_err() {
            return Ok(preflight);
        }
        for check in rules::rule_warnings(&args) {
            preflight.check(check);
        }
        if self.context.chain().account(&args.treasury).await?.is_none() {
            preflight.check(Check::warn(format!(
                "The treasury {} does not exist yet: make sure that somebody holds its key.",
                args.treasury
            )));
        }
        let Some(payer) = preflight.signer else { return Ok(preflight) };
        let ix = instructions::create_multisig(&create.pubkey(), &payer, args);
        self.seal(preflight, &[ix], vec![create]).await
    }
}
