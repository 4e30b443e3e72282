-- What comes from outside for calls, and what they are worth. Amounts are in millionths.

-- +goose Up
ALTER TABLE calls
    ADD COLUMN revenue          bigint,
    ADD COLUMN revenue_currency text NOT NULL DEFAULT '',
    ADD COLUMN payout           bigint,
    ADD COLUMN payout_currency  text NOT NULL DEFAULT '',
    ADD COLUMN converted        boolean,     -- null: not decided
    ADD COLUMN converted_at     timestamptz;
ALTER TABLE tags ADD COLUMN removed boolean NOT NULL DEFAULT false;

CREATE TABLE ledger (                   -- rows are added, and never changed
    org      text COLLATE "C" NOT NULL,
    call     bigint NOT NULL,
    place    integer NOT NULL,
    key      text NOT NULL,             -- what the entry is about: an input, or a rule
    time     timestamptz NOT NULL,
    kind     text NOT NULL,             -- revenue or payout
    amount   bigint NOT NULL,
    currency text NOT NULL,
    source   text NOT NULL,
    reason   text NOT NULL,
    replaced text,                      -- AMOUNT CURRENCY
    PRIMARY KEY (org, call, place)
);

CREATE SEQUENCE input_numbers;

CREATE TABLE inputs (                   -- that wait: for a call, for its node, or for its end
    n        bigint PRIMARY KEY,        -- in the order in which they were bound to calls, or came
    org      text COLLATE "C" NOT NULL,
    id       text NOT NULL,
    webhook  text NOT NULL,
    caller   text COLLATE "C" NOT NULL, -- without +
    call     text COLLATE "C" NOT NULL, -- id; empty: it waits for the caller's next one
    received timestamptz NOT NULL,
    bound    timestamptz,               -- when it was, to the call
    expires  timestamptz NOT NULL,
    events   bytea NOT NULL             -- JSON
);
CREATE INDEX inputs_of_caller ON inputs (org, caller) WHERE call = '';
CREATE INDEX inputs_of_call ON inputs (org, call) WHERE call <> '';
CREATE INDEX inputs_bound ON inputs (bound) WHERE call <> '';
CREATE INDEX inputs_received ON inputs (received) WHERE call = '';
CREATE INDEX inputs_expire ON inputs (expires);

CREATE TABLE receipts (                 -- of inputs with idempotency keys
    org      text COLLATE "C" NOT NULL,
    webhook  text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    received timestamptz NOT NULL,
    receipt  text NOT NULL,             -- JSON
    PRIMARY KEY (org, webhook, key)
);
CREATE INDEX receipts_by_time ON receipts (received);

-- +goose Down
DROP TABLE receipts, inputs, ledger;
DROP SEQUENCE input_numbers;
ALTER TABLE tags DROP COLUMN removed;
ALTER TABLE calls
    DROP COLUMN revenue,
    DROP COLUMN revenue_currency,
    DROP COLUMN payout,
    DROP COLUMN payout_currency,
    DROP COLUMN converted,
    DROP COLUMN converted_at;
