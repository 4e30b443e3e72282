-- The call log. A call has a number, n, by which its other rows refer to it: it is
-- narrow, new rows come at the end of their indexes, and it orders calls that began at
-- the same time. Every index of a search ends with (started, n), so that a page is one
-- range of it, read backwards; of those of calls, n is the rowid that every index has
-- behind its columns.

-- +goose Up
ALTER TABLE journals ADD COLUMN since INTEGER NOT NULL DEFAULT 0;  -- nothing in it is older
ALTER TABLE journals ADD COLUMN closed INTEGER NOT NULL DEFAULT 0; -- nothing follows until it is opened again

CREATE TABLE calls (
    org         TEXT NOT NULL,
    n           INTEGER PRIMARY KEY,
    id          TEXT NOT NULL, -- UUID of the A leg's channel
    state       TEXT NOT NULL, -- open, settling, complete, incomplete
    waits       INTEGER,       -- settling: when that was first seen
    started     INTEGER NOT NULL,
    answered    INTEGER,
    connected   INTEGER,       -- with the first target
    ended       INTEGER,
    number      TEXT NOT NULL, -- that was dialled
    caller      TEXT NOT NULL,
    name        TEXT NOT NULL, -- of the caller
    campaign    TEXT NOT NULL,
    publisher   TEXT NOT NULL,
    mode        TEXT NOT NULL,
    flow        TEXT NOT NULL,
    version     TEXT NOT NULL,
    target      TEXT NOT NULL, -- connected last
    step        TEXT NOT NULL,
    cause       TEXT NOT NULL,
    q850        INTEGER NOT NULL,
    hung_up_by  TEXT NOT NULL,
    billed_ms   INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    talked_ms   INTEGER NOT NULL,
    switch      TEXT NOT NULL,
    sip_call_id TEXT NOT NULL,
    node        TEXT NOT NULL, -- last controller
    late        INTEGER NOT NULL,
    UNIQUE (org, id)
) STRICT;
CREATE INDEX calls_by_time ON calls (org, started);
CREATE INDEX calls_by_number ON calls (org, ltrim(number, '+'), started);
CREATE INDEX calls_by_caller ON calls (org, ltrim(caller, '+'), started);
CREATE INDEX calls_by_campaign ON calls (org, campaign, started) WHERE campaign <> '';
CREATE INDEX calls_by_cause ON calls (org, cause, started) WHERE cause <> '';
CREATE INDEX calls_by_state ON calls (org, state, started) WHERE state <> 'complete';
CREATE INDEX calls_waiting ON calls (waits) WHERE state = 'settling';

CREATE TABLE events (                   -- what one batch of a journal held of a call
    org   TEXT NOT NULL,
    call  INTEGER NOT NULL,
    epoch INTEGER NOT NULL, -- of the first event
    node  TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    time  INTEGER NOT NULL,
    lines BLOB NOT NULL,    -- as they stand in the journal
    UNIQUE (org, call, epoch, node, seq, time)
) STRICT; -- with a rowid: its pages hold long lines, the others' but 1 KB of them

CREATE TABLE legs (                     -- that were dialled; the caller's is in calls
    org         TEXT NOT NULL,
    call        INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    started     INTEGER NOT NULL, -- of the call
    first       INTEGER NOT NULL, -- leg of the call to this target
    uuid        TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    target      TEXT NOT NULL,
    address     TEXT NOT NULL,
    step        TEXT NOT NULL,
    dialed      INTEGER NOT NULL,
    ringing     INTEGER,
    connected   INTEGER,
    ended       INTEGER,
    cause       TEXT NOT NULL,
    q850        INTEGER NOT NULL,
    billed_ms   INTEGER NOT NULL,
    sip_call_id TEXT NOT NULL,
    PRIMARY KEY (org, call, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX legs_by_target ON legs (org, target, started, call) WHERE first;

CREATE TABLE tags (                     -- every write of one
    org      TEXT NOT NULL,
    call     INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    started  INTEGER NOT NULL, -- of the call
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    source   TEXT NOT NULL,
    step     TEXT NOT NULL,
    time     INTEGER NOT NULL,
    replaced TEXT,
    current  INTEGER NOT NULL, -- not replaced by a later one
    PRIMARY KEY (org, call, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_name ON tags (org, name, started, call) WHERE current;
CREATE INDEX tags_by_value ON tags (org, name, substr(value, 1, 100), started, call) WHERE current;

CREATE TABLE why_not (
    org    TEXT NOT NULL,
    call   INTEGER NOT NULL,
    place  INTEGER NOT NULL,
    step   TEXT NOT NULL,
    target TEXT NOT NULL,
    rule   TEXT NOT NULL,
    value  TEXT NOT NULL,
    time   INTEGER NOT NULL,
    PRIMARY KEY (org, call, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE gaps (                     -- journals that may still hold events of a call
    org   TEXT NOT NULL,
    call  INTEGER NOT NULL,
    node  TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (org, call, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX gaps_of_node ON gaps (node, since);

CREATE TABLE rejected (                 -- events of which no rows could be made
    org     TEXT NOT NULL,
    id      TEXT NOT NULL,    -- of the call
    journal TEXT NOT NULL,
    until   INTEGER NOT NULL, -- of the batch
    reason  TEXT NOT NULL,
    lines   BLOB NOT NULL
) STRICT;

-- +goose Down
DROP TABLE rejected;
DROP TABLE gaps;
DROP TABLE why_not;
DROP TABLE tags;
DROP TABLE legs;
DROP TABLE events;
DROP TABLE calls;
ALTER TABLE journals DROP COLUMN since;
ALTER TABLE journals DROP COLUMN closed;
