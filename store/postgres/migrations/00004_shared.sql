-- +goose Up
CREATE TABLE slots (                   -- what legs take of targets, and took
    call      text NOT NULL,           -- first, since a switch knows no organization
    org       text NOT NULL,
    leg       text NOT NULL,           -- UUID of the channel
    target    text NOT NULL,
    campaign  text NOT NULL,
    buyer     text NOT NULL,
    caller    text NOT NULL,
    switch    text NOT NULL,           -- name of the FreeSWITCH that holds the call
    node      text NOT NULL,           -- that controls it
    hour      timestamptz NOT NULL,    -- the periods that it counts in
    day       timestamptz NOT NULL,
    month     timestamptz NOT NULL,
    counted   boolean NOT NULL,        -- in the caps
    connected timestamptz,             -- null: not, as far as is known
    freed     timestamptz,             -- null: in use
    renewed   timestamptz NOT NULL,
    PRIMARY KEY (call, org, leg)
);
CREATE INDEX slots_in_use ON slots (org, target) WHERE freed IS NULL;
CREATE INDEX slots_renewed ON slots (renewed) WHERE freed IS NULL;
CREATE INDEX slots_connected ON slots (org, caller, connected) WHERE connected IS NOT NULL;
CREATE INDEX slots_unconnected ON slots (freed) WHERE freed IS NOT NULL AND connected IS NULL;
CREATE INDEX slots_by_time ON slots (connected) WHERE freed IS NOT NULL AND connected IS NOT NULL;

CREATE TABLE counts (                  -- calls of a target in a period, reserved or connected
    org    text NOT NULL,
    target text NOT NULL,
    period text NOT NULL,              -- hour, day, month, total
    since  timestamptz NOT NULL,       -- total: 1970
    n      bigint NOT NULL,
    PRIMARY KEY (org, target, period, since)
);
CREATE INDEX counts_since ON counts (since);

CREATE TABLE turns (
    org text NOT NULL,
    key text NOT NULL,
    n   bigint NOT NULL,               -- how often it was asked for
    PRIMARY KEY (org, key)
);

CREATE TABLE nodes (
    node text PRIMARY KEY,
    seen timestamptz NOT NULL
);

-- +goose Down
DROP TABLE slots, counts, turns, nodes;
