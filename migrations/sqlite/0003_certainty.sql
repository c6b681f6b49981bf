-- What makes the mirror safe against a second writer, a reorg and a changed byte, and what is announced.
-- Same names and columns as postgres/0003_certainty.sql.

-- The lease: run_id is the fencing number of the run that holds it; times are of this store's clock,
-- in milliseconds since 1970.
ALTER TABLE mirror_state ADD COLUMN lease_owner TEXT;
ALTER TABLE mirror_state ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;
-- Newest finalised slot, and newest confirmed slot that the writer has taken in.
ALTER TABLE mirror_state ADD COLUMN root_slot INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mirror_state ADD COLUMN confirmed_slot INTEGER NOT NULL DEFAULT 0;
-- The end of the audit chain, so that a tail that was cut off is missed.
ALTER TABLE mirror_state ADD COLUMN audit_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mirror_state ADD COLUMN audit_head BLOB;

-- A sum over what orders the writes of a row. The bytes have their hash and the other columns follow
-- from them; these three follow from nothing. SQLite adds no such column to a table that is there, so
-- the accounts are read from the chain anew.
DROP TABLE accounts;
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
    closed_slot INTEGER,
    position_checksum   INTEGER NOT NULL GENERATED ALWAYS AS (
        slot % 65521 * 4295098369 + write_version % 65521 * 65537 + coalesce(closed_slot % 65521 + 1, 0)
    ) STORED
);
CREATE INDEX accounts_few ON accounts (kind, pubkey)
    WHERE kind <> 'AccountVersion' AND kind <> 'AccountBackup';
-- Pages of version records by program and status, in the order of their addresses: a few bytes of each
-- instead of two long keys, a fifth of the size. A query asks for the columns themselves as well.
CREATE INDEX accounts_version ON accounts
    (substr(program, 31), substr(status, 1, 1), substr(pubkey, 1, 4))
    WHERE kind = 'AccountVersion' AND closed_slot IS NULL;
DELETE FROM progress;
UPDATE mirror_state SET snapshot_slot = 0, frontier_slot = 0;

-- What an account's row was before a write in slot at_slot that is not final yet. A null kind: there
-- was none. Rows are removed once at_slot is final.
CREATE TABLE undo_log (
    at_slot     INTEGER NOT NULL,
    pubkey      BLOB NOT NULL,
    kind        TEXT,
    program     BLOB,
    proposal    BLOB,
    account     BLOB,
    status      TEXT,
    version     INTEGER,
    data_hash   BLOB,
    raw         BLOB,
    slot        INTEGER,
    write_version          INTEGER,
    closed_slot INTEGER,
    PRIMARY KEY (at_slot, pubkey)
);

-- The audit chain has a new hash, so it is read from the chain anew. row_checksum covers every column of
-- the row, also block_time, which nodes may disagree on and which is therefore not in the hash.
DROP TABLE audit_log;
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
    row_checksum     BLOB NOT NULL,
    UNIQUE (signature, ix_index, inner_index)
);
CREATE INDEX audit_subject ON audit_log (subject, seq);
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
UPDATE mirror_state SET history_slot = 0, rev = rev + 1;

-- What happened here and not on chain: reconnects, repairs, drift. Not chained.
CREATE TABLE ops_log (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    detail TEXT NOT NULL
);

-- What is to be announced, written with the fact itself; detail is a JSON object.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id   BLOB NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    slot       INTEGER NOT NULL,
    chain_time INTEGER,
    subject    BLOB,
    detail     TEXT NOT NULL
);
-- How far each webhook is, and what it would not take.
CREATE TABLE hooks (
    name       TEXT PRIMARY KEY,
    since_slot INTEGER NOT NULL,
    next_id    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at_ms INTEGER NOT NULL DEFAULT 0,
    last_error TEXT
);
CREATE TABLE dead_letters (
    hook      TEXT NOT NULL,
    outbox_id INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    error     TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    PRIMARY KEY (hook, outbox_id)
);
