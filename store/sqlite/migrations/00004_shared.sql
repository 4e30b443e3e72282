-- +goose Up
CREATE TABLE slots (                   -- what legs take of targets, and took
    call      TEXT NOT NULL,           -- first, since a switch knows no organization
    org       TEXT NOT NULL,
    leg       TEXT NOT NULL,           -- UUID of the channel
    target    TEXT NOT NULL,
    campaign  TEXT NOT NULL,
    buyer     TEXT NOT NULL,
    caller    TEXT NOT NULL,
    switch    TEXT NOT NULL,           -- name of the FreeSWITCH that holds the call
    node      TEXT NOT NULL,           -- that controls it
    hour      INTEGER NOT NULL,        -- the periods that it counts in
    day       INTEGER NOT NULL,
    month     INTEGER NOT NULL,
    counted   INTEGER NOT NULL,        -- in the caps: 1
    connected INTEGER,                 -- null: not, as far as is known
    freed     INTEGER,                 -- null: in use
    renewed   INTEGER NOT NULL,
    PRIMARY KEY (call, org, leg)
) STRICT, WITHOUT ROWID;
CREATE INDEX slots_in_use ON slots (org, target) WHERE freed IS NULL;
CREATE INDEX slots_renewed ON slots (renewed) WHERE freed IS NULL;
CREATE INDEX slots_connected ON slots (org, caller, connected) WHERE connected IS NOT NULL;
CREATE INDEX slots_unconnected ON slots (freed) WHERE freed IS NOT NULL AND connected IS NULL;
CREATE INDEX slots_by_time ON slots (connected) WHERE freed IS NOT NULL AND connected IS NOT NULL;

CREATE TABLE counts (                  -- calls of a target in a period, reserved or connected
    org    TEXT NOT NULL,
    target TEXT NOT NULL,
    period TEXT NOT NULL,              -- hour, day, month, total
    since  INTEGER NOT NULL,           -- total: 0
    n      INTEGER NOT NULL,
    PRIMARY KEY (org, target, period, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX counts_since ON counts (since);

CREATE TABLE turns (
    org TEXT NOT NULL,
    key TEXT NOT NULL,
    n   INTEGER NOT NULL,              -- how often it was asked for
    PRIMARY KEY (org, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    node TEXT PRIMARY KEY,
    seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE slots;
DROP TABLE counts;
DROP TABLE turns;
DROP TABLE nodes;
