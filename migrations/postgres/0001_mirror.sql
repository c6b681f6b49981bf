-- The mirror of the manager's accounts, the audit chain, and what this control room did itself.
-- Same names and columns as sqlite/0001_mirror.sql. Addresses and hashes are 32 bytes, signatures 64.

-- One row: which chain this store mirrors and how far it got.
CREATE TABLE mirror_state (
    one           SMALLINT PRIMARY KEY CHECK (one = 1),
    program_id    BYTEA,
    genesis_hash  BYTEA,
    run_id        BIGINT NOT NULL DEFAULT 0,
    frontier_slot BIGINT NOT NULL DEFAULT 0,
    snapshot_slot BIGINT NOT NULL DEFAULT 0,
    history_slot  BIGINT NOT NULL DEFAULT 0,
    rev           BIGINT NOT NULL DEFAULT 0
);
INSERT INTO mirror_state (one) VALUES (1);

-- One row an account of the manager. (slot, write_version) orders the writes of one account; write_version is 0 for what
-- a snapshot said and run_id << 32 | arrival number for what the websocket said.
CREATE TABLE accounts (
    pubkey      BYTEA PRIMARY KEY,
    kind        TEXT NOT NULL,
    program     BYTEA,
    proposal    BYTEA,
    account     BYTEA,
    status      TEXT,
    version     INT,
    data_hash   BYTEA NOT NULL,
    raw         BYTEA NOT NULL,
    slot        BIGINT NOT NULL CHECK (slot >= 0),
    write_version          BIGINT NOT NULL CHECK (write_version >= 0),
    closed_slot BIGINT
) WITH (fillfactor = 85);
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
    program     BYTEA NOT NULL,
    proposal    BYTEA NOT NULL,
    pending     BIGINT NOT NULL DEFAULT 0 CHECK (pending >= 0),
    migrated    BIGINT NOT NULL DEFAULT 0 CHECK (migrated >= 0),
    verified    BIGINT NOT NULL DEFAULT 0 CHECK (verified >= 0),
    restored    BIGINT NOT NULL DEFAULT 0 CHECK (restored >= 0),
    quarantined BIGINT NOT NULL DEFAULT 0 CHECK (quarantined >= 0),
    closed      BIGINT NOT NULL DEFAULT 0 CHECK (closed >= 0),
    PRIMARY KEY (program, proposal)
);

-- Accounts that could not be decoded, with their bytes; a later readable state removes the row.
CREATE TABLE quarantine (
    pubkey BYTEA PRIMARY KEY,
    slot   BIGINT NOT NULL,
    owner  BYTEA NOT NULL,
    error  TEXT NOT NULL,
    raw    BYTEA NOT NULL
);

-- Finalised events in chain order, each row's hash over the one before.
CREATE TABLE audit_log (
    seq         BIGINT PRIMARY KEY,
    slot        BIGINT NOT NULL,
    tx_index    BIGINT NOT NULL,
    ix_index    BIGINT NOT NULL,
    inner_index BIGINT NOT NULL,
    signature   BYTEA NOT NULL,
    block_time  BIGINT,
    kind        TEXT NOT NULL,
    actor       BYTEA,
    subject     BYTEA,
    payload     BYTEA NOT NULL,
    prev_hash   BYTEA NOT NULL,
    hash        BYTEA NOT NULL UNIQUE,
    UNIQUE (signature, ix_index, inner_index)
);
CREATE INDEX audit_subject ON audit_log (subject, seq);
CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$;
CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only();

-- Transactions that this control room sent.
CREATE TABLE sent (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    verb       TEXT NOT NULL,
    proposal   BYTEA,
    signature  TEXT NOT NULL,
    slot       BIGINT NOT NULL,
    units      BIGINT,
    bytes      BIGINT NOT NULL,
    elapsed_ms BIGINT NOT NULL,
    error      TEXT
);

-- Notices already given to the operator.
CREATE TABLE notices (
    key TEXT PRIMARY KEY
);
