//! Instructions of the world's multisig about itself: new rules, a guardian's pause, the transfer
//! of a program, dissolution. Account lists come from the backend's builders, as in `verbs`.
use backend::instructions::{self as ix, Voted, VotedKeys};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::{
    instructions::GovernanceArgs,
    seeds,
    state::{Action, Choice, GovernanceProposal, MultisigRules, Transfer},
};

use crate::{
    keys::{address, key},
    world::{APPROVERS, PROPOSAL_LIFETIME, TIMELOCK, World},
};

impl World {
    /// The multisig's rules, changed by `change`; members are sorted afterwards.
    pub fn new_rules(&self, change: impl FnOnce(&mut MultisigRules)) -> Action {
        let mut rules = self.config().rules();
        change(&mut rules);
        rules.members.sort_by_key(|m| m.key);
        Action::ConfigChange(rules)
    }

    /// The action that transfers the vault program's upgrade authority to `new_authority`.
    pub fn hand_over(&self, new_authority: &str) -> Action {
        let (program, program_data) = (demo_vault::ID, ix::program_data_address(&demo_vault::ID));
        Action::TransferAuthority(Transfer {
            program,
            program_data,
            new_authority: address(new_authority),
        })
    }

    /// `propose_governance` for `action`, paid by the payer.
    pub fn propose_multisig_ix(&self, proposer: &str, action: Action) -> Instruction {
        let args = GovernanceArgs {
            genesis_hash: [7; 32],
            expires_at: self.chain.time() + PROPOSAL_LIFETIME,
            note: "agreed on the call".into(),
            action,
        };
        self.propose_multisig_with_ix(proposer, args)
    }

    /// `propose_governance` with these arguments.
    pub fn propose_multisig_with_ix(&self, proposer: &str, args: GovernanceArgs) -> Instruction {
        let (multisig, id) = (self.multisig(), self.config().next_proposal);
        ix::propose_governance(&address(proposer), &address("payer"), &multisig, id, args)
    }

    /// Proposal `id` about the multisig.
    pub fn multisig_proposal(&self, id: u64) -> GovernanceProposal {
        self.chain.read(&seeds::governance(&self.multisig(), id).0)
    }

    /// The addresses of proposal `id` about the multisig.
    pub fn multisig_keys(&self, id: u64) -> VotedKeys {
        self.multisig_proposal(id).voted()
    }

    /// `approve` or `reject` of proposal `id` about the multisig.
    pub fn multisig_vote_ix(&self, member: &str, id: u64, choice: Choice) -> Instruction {
        let (keys, digest) = (self.multisig_keys(id), self.multisig_proposal(id).digest);
        match choice {
            Choice::Approve => ix::approve(&address(member), &keys, digest),
            Choice::Reject => ix::reject(&address(member), &keys, digest),
        }
    }

    /// `revoke` of a vote on proposal `id` about the multisig.
    pub fn multisig_revoke_ix(&self, member: &str, id: u64) -> Instruction {
        ix::revoke(&address(member), &self.multisig_keys(id))
    }

    /// `cancel` of proposal `id` about the multisig.
    pub fn multisig_cancel_ix(&self, member: &str, id: u64) -> Instruction {
        ix::cancel(&address(member), &self.multisig_keys(id))
    }

    /// `expire` of proposal `id` about the multisig.
    pub fn multisig_expire_ix(&self, id: u64) -> Instruction {
        ix::expire(&self.multisig_keys(id))
    }

    pub fn execute_change_ix(&self, executor: &str, id: u64) -> Instruction {
        ix::execute_config_change(&address(executor), &self.multisig_proposal(id).terms)
    }

    pub fn execute_transfer_ix(&self, executor: &str, id: u64) -> Instruction {
        let terms = self.multisig_proposal(id).terms;
        let Action::TransferAuthority(transfer) = &terms.action else {
            panic!("proposal {id} hands nothing over");
        };
        ix::execute_transfer(&address(executor), &terms, transfer)
    }

    pub fn pause_ix(&self, guardian: &str) -> Instruction {
        ix::pause(&address(guardian), &self.multisig())
    }

    pub fn unpause_ix(&self, member: &str) -> Instruction {
        ix::unpause(&address(member), &self.multisig())
    }

    pub fn close_state_ix(&self, closer: &str) -> Instruction {
        ix::close_program_state(&address(closer), &self.state())
    }

    pub fn close_multisig_ix(&self, closer: &str) -> Instruction {
        ix::close_multisig(&address(closer), &self.config())
    }

    pub fn close_multisig_proposal_ix(&self, closer: &str, id: u64) -> Instruction {
        ix::close_governance(&address(closer), &self.multisig_proposal(id))
    }

    /// Proposes `action`. Returns the proposal's id.
    pub fn propose_multisig(&mut self, action: Action) -> u64 {
        let id = self.config().next_proposal;
        let ix = self.propose_multisig_ix("anna", action);
        self.run("propose_governance", ix, &[&key("anna"), &key("payer")]);
        id
    }

    /// [`APPROVERS`] approves proposal `id`, and its timelock passes.
    pub fn agree_multisig(&mut self, id: u64) {
        for member in APPROVERS {
            let ix = self.multisig_vote_ix(member, id, Choice::Approve);
            self.run("approve", ix, &[&key(member)]);
        }
        self.chain.pass(i64::from(TIMELOCK));
    }

    /// Proposes, approves and executes `change`.
    pub fn change_multisig(&mut self, change: impl FnOnce(&mut MultisigRules)) {
        let id = self.propose_multisig(self.new_rules(change));
        self.agree_multisig(id);
        self.run("execute_config_change", self.execute_change_ix("dan", id), &[&key("dan")]);
    }

    /// Proposes, approves and executes the transfer of the vault program.
    pub fn transfer_to(&mut self, new_authority: &str) {
        let id = self.propose_multisig(self.hand_over(new_authority));
        self.agree_multisig(id);
        let ix = self.execute_transfer_ix("dan", id);
        self.run("execute_transfer", ix, &[&key("dan"), &key(new_authority)]);
    }

    /// Address of the vault program's ProgramData account.
    pub fn program_data(&self) -> Pubkey {
        ix::program_data_address(&demo_vault::ID)
    }
}
