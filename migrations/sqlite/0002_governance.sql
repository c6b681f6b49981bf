-- Proposals about multisigs, and backups of critical accounts (without the bytes they keep: only who,
-- for what, their hash and length).

-- The layouts of accounts have changed: what was mirrored is read from the chain anew. The audit
-- chain stays.
DELETE FROM accounts;
DELETE FROM progress;
DELETE FROM quarantine;
UPDATE mirror_state SET snapshot_slot = 0, frontier_slot = 0, rev = rev + 1;

-- Screens read neither records nor backups with everything else: there may be very many.
DROP INDEX accounts_few;
CREATE INDEX accounts_few ON accounts (kind, pubkey)
    WHERE kind <> 'AccountVersion' AND kind <> 'AccountBackup';

CREATE VIEW governance_proposals AS
    SELECT pubkey, program, account AS multisig, status, slot, closed_slot, raw
    FROM accounts WHERE kind = 'GovernanceProposal';
CREATE VIEW account_backups AS
    SELECT pubkey, program, account, proposal, slot, closed_slot, raw
    FROM accounts WHERE kind = 'AccountBackup';
