-- The mirror of the manager's accounts, the audit chain, and what this control room did itself.
-- Same names and columns as postgres/0001_mirror.sql. Addresses and hashes are 32 bytes, signatures 64.

-- One row: which chain this store mirrors and how far it got.
CREATE TABLE mirror_state (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    program_id    BLOB,
    genesis_hash  BLOB,
    run_id        INTEGER NOT NULL DEFAULT 0,
    frontier_slot INTEGER NOT NULL DEFAULT 0,
    snapshot_slot INTEGER NOT NULL DEFAULT 0,
    history_slot  INTEGER NOT NULL DEFAULT 0,
    rev           INTEGER NOT NULL DEFAULT 0
);
INSERT INTO mirror_state (one) VALUES (1);

-- One row an account of the manager. (slot, write_version) orders the writes of one account; write_version is 0 for what
-- a snapshot said and run_id << 32 | arrival number for what the websocket said.
CREATE TABLE accounts (
    pubkey      BLOB PRIMARY KEY,
    kind        TEXT NOT NULL,
    program     BLOB,
    proposal    BLOB,
    account     BLOB,
    status      TEXT,
    version     INTEGER,
    data_hash   BLOB NOT NULL,
    raw         BLOB NOT NULL,
    slot        INTEGER NOT NULL CHECK (slot >= 0),
    write_version          INTEGER NOT NULL CHECK (write_version >= 0),
    closed_slot INTEGER
);
CREATE INDEX accounts_few ON accounts (kind, pubkey) WHERE kind <> 'AccountVersion';
CREATE INDEX accounts_version ON accounts (program, pubkey)
    WHERE kind = 'AccountVersion' AND closed_slot IS NULL;
CREATE INDEX accounts_version_status ON accounts (program, status, pubkey)
    WHERE kind = 'AccountVersion' AND closed_slot IS NULL;

CREATE VIEW multisigs AS
    SELECT pubkey, slot, closed_slot, raw FROM accounts WHERE kind = 'MultisigConfig';
CREATE VIEW programs AS
    SELECT pubkey, program, status AS phase, version, slot, closed_slot, raw
    FROM accounts WHERE kind = 'ProgramUpgradeState';
CREATE VIEW proposals AS
    SELECT pubkey, program, status, version AS to_version, slot, closed_slot, raw
    FROM accounts WHERE kind = 'UpgradeProposal';
CREATE VIEW attestations AS
    SELECT pubkey, program, account AS buffer, proposal, status AS role, slot, closed_slot, raw
    FROM accounts WHERE kind = 'BufferAttestation';
CREATE VIEW account_versions AS
    SELECT pubkey, program, account, proposal, status, version, slot, closed_slot, raw
    FROM accounts WHERE kind = 'AccountVersion';

-- How many live version records stand at each status; changed in the transaction that changes them.
CREATE TABLE progress (
    program     BLOB NOT NULL,
    proposal    BLOB NOT NULL,
    pending     INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
    migrated    INTEGER NOT NULL DEFAULT 0 CHECK (migrated >= 0),
    verified    INTEGER NOT NULL DEFAULT 0 CHECK (verified >= 0),
    restored    INTEGER NOT NULL DEFAULT 0 CHECK (restored >= 0),
    quarantined INTEGER NOT NULL DEFAULT 0 CHECK (quarantined >= 0),
    closed      INTEGER NOT NULL DEFAULT 0 CHECK (closed >= 0),
    PRIMARY KEY (program, proposal)
);

-- Accounts that could not be decoded, with their bytes; a later readable state removes the row.
CREATE TABLE quarantine (
    pubkey BLOB PRIMARY KEY,
    slot   INTEGER NOT NULL,
    owner  BLOB NOT NULL,
    error  TEXT NOT NULL,
    raw    BLOB NOT NULL
);

-- Finalised events in chain order, each row's hash over the one before.
CREATE TABLE audit_log (
    seq         INTEGER PRIMARY KEY,
    slot        INTEGER NOT NULL,
    tx_index    INTEGER NOT NULL,
    ix_index    INTEGER NOT NULL,
    inner_index INTEGER NOT NULL,
    signature   BLOB NOT NULL,
    block_time  INTEGER,
    kind        TEXT NOT NULL,
    actor       BLOB,
    subject     BLOB,
    payload     BLOB NOT NULL,
    prev_hash   BLOB NOT NULL,
    hash        BLOB NOT NULL UNIQUE,
    UNIQUE (signature, ix_index, inner_index)
);
CREATE INDEX audit_subject ON audit_log (subject, seq);
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

-- Transactions that this control room sent.
CREATE TABLE sent (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    verb       TEXT NOT NULL,
    proposal   BLOB,
    signature  TEXT NOT NULL,
    slot       INTEGER NOT NULL,
    units      INTEGER,
    bytes      INTEGER NOT NULL,
    elapsed_ms INTEGER NOT NULL,
    error      TEXT
);

-- Notices already given to the operator.
CREATE TABLE notices (
    key TEXT PRIMARY KEY
);
