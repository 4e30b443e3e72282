-- The call log. A call has a number, n, by which its other rows refer to it: it is
-- narrow, new rows come at the end of their indexes, and it orders calls that began at
-- the same time. Every index of a search ends with (started, n), so that a page is one
-- range of it, read backwards. What is searched for is compared byte by byte, whatever the
-- database's language.

-- +goose Up
ALTER TABLE journals
    ADD COLUMN since  timestamptz NOT NULL DEFAULT '-infinity', -- nothing in it is older
    ADD COLUMN closed boolean NOT NULL DEFAULT false;           -- nothing follows until it is opened again

CREATE SEQUENCE call_numbers;

CREATE TABLE calls (
    org         text COLLATE "C" NOT NULL,
    n           bigint NOT NULL,
    id          text COLLATE "C" NOT NULL, -- UUID of the A leg's channel
    state       text COLLATE "C" NOT NULL, -- open, settling, complete, incomplete
    waits       timestamptz,               -- settling: when that was first seen
    started     timestamptz NOT NULL,
    answered    timestamptz,
    connected   timestamptz,               -- with the first target
    ended       timestamptz,
    number      text COLLATE "C" NOT NULL, -- that was dialled
    caller      text COLLATE "C" NOT NULL,
    name        text NOT NULL,             -- of the caller
    campaign    text COLLATE "C" NOT NULL,
    publisher   text NOT NULL,
    mode        text NOT NULL,
    flow        text NOT NULL,
    version     text NOT NULL,
    target      text NOT NULL,             -- connected last
    step        text NOT NULL,
    cause       text COLLATE "C" NOT NULL,
    q850        integer NOT NULL,
    hung_up_by  text NOT NULL,
    billed_ms   bigint NOT NULL,
    duration_ms bigint NOT NULL,
    talked_ms   bigint NOT NULL,
    switch      text NOT NULL,
    sip_call_id text NOT NULL,
    node        text NOT NULL,             -- last controller
    late        boolean NOT NULL,
    PRIMARY KEY (org, n),
    UNIQUE (org, id)
);
CREATE INDEX calls_by_time ON calls (org, started, n);
CREATE INDEX calls_by_number ON calls (org, ltrim(number, '+'), started, n);
CREATE INDEX calls_by_caller ON calls (org, ltrim(caller, '+'), started, n);
CREATE INDEX calls_by_campaign ON calls (org, campaign, started, n) WHERE campaign <> '';
CREATE INDEX calls_by_cause ON calls (org, cause, started, n) WHERE cause <> '';
CREATE INDEX calls_by_state ON calls (org, state, started, n) WHERE state <> 'complete';
CREATE INDEX calls_waiting ON calls (waits) WHERE state = 'settling';

CREATE TABLE events (                   -- what one batch of a journal held of a call
    org   text COLLATE "C" NOT NULL,
    call  bigint NOT NULL,
    epoch bigint NOT NULL, -- of the first event
    node  text COLLATE "C" NOT NULL,
    seq   bigint NOT NULL,
    time  timestamptz NOT NULL,
    lines bytea NOT NULL,  -- as they stand in the journal
    PRIMARY KEY (org, call, epoch, node, seq, time)
);

CREATE TABLE legs (                     -- that were dialled; the caller's is in calls
    org         text COLLATE "C" NOT NULL,
    call        bigint NOT NULL,
    place       integer NOT NULL,
    started     timestamptz NOT NULL, -- of the call
    first       boolean NOT NULL,     -- leg of the call to this target
    uuid        text NOT NULL,
    attempt     integer NOT NULL,
    target      text COLLATE "C" NOT NULL,
    address     text NOT NULL,
    step        text NOT NULL,
    dialed      timestamptz NOT NULL,
    ringing     timestamptz,
    connected   timestamptz,
    ended       timestamptz,
    cause       text NOT NULL,
    q850        integer NOT NULL,
    billed_ms   bigint NOT NULL,
    sip_call_id text NOT NULL,
    PRIMARY KEY (org, call, place)
);
CREATE INDEX legs_by_target ON legs (org, target, started, call) WHERE first;

CREATE TABLE tags (                     -- every write of one
    org      text COLLATE "C" NOT NULL,
    call     bigint NOT NULL,
    place    integer NOT NULL,
    started  timestamptz NOT NULL, -- of the call
    name     text COLLATE "C" NOT NULL,
    value    text COLLATE "C" NOT NULL,
    source   text NOT NULL,
    step     text NOT NULL,
    time     timestamptz NOT NULL,
    replaced text,
    current  boolean NOT NULL,     -- not replaced by a later one
    PRIMARY KEY (org, call, place)
);
CREATE INDEX tags_by_name ON tags (org, name, started, call) WHERE current;
CREATE INDEX tags_by_value ON tags (org, name, substr(value, 1, 100), started, call) WHERE current;

CREATE TABLE why_not (
    org    text COLLATE "C" NOT NULL,
    call   bigint NOT NULL,
    place  integer NOT NULL,
    step   text NOT NULL,
    target text NOT NULL,
    rule   text NOT NULL,
    value  text NOT NULL,
    time   timestamptz NOT NULL,
    PRIMARY KEY (org, call, place)
);

CREATE TABLE gaps (                     -- journals that may still hold events of a call
    org   text COLLATE "C" NOT NULL,
    call  bigint NOT NULL,
    node  text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (org, call, node)
);
CREATE INDEX gaps_of_node ON gaps (node, since);

CREATE TABLE rejected (                 -- events of which no rows could be made
    org     text NOT NULL,
    id      text NOT NULL,        -- of the call
    journal text NOT NULL,
    until   timestamptz NOT NULL, -- of the batch
    reason  text NOT NULL,
    lines   bytea NOT NULL
);

-- +goose Down
DROP TABLE rejected, gaps, why_not, tags, legs, events, calls;
DROP SEQUENCE call_numbers;
ALTER TABLE journals DROP COLUMN since, DROP COLUMN closed;
