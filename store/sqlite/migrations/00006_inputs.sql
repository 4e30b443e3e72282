-- What comes from outside for calls, and what they are worth. Amounts are in millionths.

-- +goose Up
ALTER TABLE calls ADD COLUMN revenue INTEGER;
ALTER TABLE calls ADD COLUMN revenue_currency TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN payout INTEGER;
ALTER TABLE calls ADD COLUMN payout_currency TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN converted INTEGER;    -- null: not decided
ALTER TABLE calls ADD COLUMN converted_at INTEGER;
ALTER TABLE tags ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;

CREATE TABLE ledger (                   -- rows are added, and never changed
    org      TEXT NOT NULL,
    call     INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    key      TEXT NOT NULL,             -- what the entry is about: an input, or a rule
    time     INTEGER NOT NULL,
    kind     TEXT NOT NULL,             -- revenue or payout
    amount   INTEGER NOT NULL,
    currency TEXT NOT NULL,
    source   TEXT NOT NULL,
    reason   TEXT NOT NULL,
    replaced TEXT,                      -- AMOUNT CURRENCY
    PRIMARY KEY (org, call, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE inputs (                   -- that wait: for a call, for its node, or for its end
    n        INTEGER PRIMARY KEY,       -- in the order in which they were bound to calls, or came
    org      TEXT NOT NULL,
    id       TEXT NOT NULL,
    webhook  TEXT NOT NULL,
    caller   TEXT NOT NULL,             -- without +
    call     TEXT NOT NULL,             -- id; empty: it waits for the caller's next one
    received INTEGER NOT NULL,
    bound    INTEGER,                   -- when it was, to the call
    expires  INTEGER NOT NULL,
    events   BLOB NOT NULL              -- JSON
) STRICT;
CREATE INDEX inputs_of_caller ON inputs (org, caller) WHERE call = '';
CREATE INDEX inputs_of_call ON inputs (org, call) WHERE call <> '';
CREATE INDEX inputs_bound ON inputs (bound) WHERE call <> '';
CREATE INDEX inputs_expire ON inputs (expires);

CREATE TABLE input_numbers (n INTEGER NOT NULL) STRICT; -- the last that was given
INSERT INTO input_numbers VALUES (0);

CREATE TABLE receipts (                 -- of inputs with idempotency keys
    org      TEXT NOT NULL,
    webhook  TEXT NOT NULL,
    key      TEXT NOT NULL,
    received INTEGER NOT NULL,
    receipt  TEXT NOT NULL,             -- JSON
    PRIMARY KEY (org, webhook, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_by_time ON receipts (received);

-- +goose Down
DROP TABLE receipts;
DROP TABLE input_numbers;
DROP TABLE inputs;
DROP TABLE ledger;
ALTER TABLE tags DROP COLUMN removed;
ALTER TABLE calls DROP COLUMN revenue;
ALTER TABLE calls DROP COLUMN revenue_currency;
ALTER TABLE calls DROP COLUMN payout;
ALTER TABLE calls DROP COLUMN payout_currency;
ALTER TABLE calls DROP COLUMN converted;
ALTER TABLE calls DROP COLUMN converted_at;
