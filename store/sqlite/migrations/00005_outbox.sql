-- What is told to endpoints. A delivery is a row of outbox until it is done, and of deliveries
-- from then on, under the same number, n: the deliveries of a call to an endpoint are made in
-- its order.

-- +goose Up
CREATE TABLE messages (
    org  TEXT NOT NULL,
    id   TEXT NOT NULL,
    call TEXT NOT NULL,    -- id; '': of none
    type TEXT NOT NULL,
    time INTEGER NOT NULL, -- of what happened
    body BLOB NOT NULL,
    UNIQUE (org, id)
) STRICT;
CREATE INDEX messages_by_time ON messages (time);

CREATE TABLE outbox (                  -- deliveries that are not done
    org      TEXT NOT NULL,
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT NOT NULL,
    message  TEXT NOT NULL,            -- id
    call     TEXT NOT NULL,
    type     TEXT NOT NULL,
    resent   INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    node     TEXT NOT NULL DEFAULT '',   -- that has the lease
    token    INTEGER NOT NULL DEFAULT 0, -- of the last lease
    until    INTEGER,                    -- end of the lease; null: there is none
    tries    INTEGER NOT NULL DEFAULT 0,
    first    INTEGER,                    -- attempt
    status   INTEGER NOT NULL DEFAULT 0,
    error    TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_of ON outbox (org);
CREATE INDEX outbox_by_due ON outbox (org, endpoint, due);
CREATE INDEX outbox_by_call ON outbox (org, call, endpoint);

CREATE TABLE deliveries (              -- that are done
    org      TEXT NOT NULL,
    n        INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    message  TEXT NOT NULL,
    call     TEXT NOT NULL,
    type     TEXT NOT NULL,
    resent   INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    state    TEXT NOT NULL,            -- delivered, given_up, dropped
    tries    INTEGER NOT NULL,
    first    INTEGER,
    status   INTEGER NOT NULL,         -- of the last answer; 0: there was none
    error    TEXT NOT NULL,
    done     INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_of ON deliveries (org);
CREATE INDEX deliveries_by_call ON deliveries (org, call);
CREATE INDEX deliveries_by_endpoint ON deliveries (org, endpoint);
CREATE INDEX deliveries_by_type ON deliveries (org, type);
CREATE INDEX deliveries_by_state ON deliveries (org, state) WHERE state <> 'delivered';
CREATE INDEX deliveries_by_status ON deliveries (org, status) WHERE status <> 200;
CREATE INDEX deliveries_by_time ON deliveries (done);

CREATE TABLE attempts (
    org      TEXT NOT NULL,
    delivery INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    try      INTEGER NOT NULL,
    node     TEXT NOT NULL,
    took_ns  INTEGER NOT NULL,
    request  BLOB NOT NULL,            -- JSON
    response BLOB NOT NULL,            -- JSON
    error    TEXT NOT NULL,
    state    TEXT NOT NULL,            -- of the delivery after it
    due      INTEGER,                  -- null: it was the last
    UNIQUE (org, delivery, at, token)
) STRICT;
CREATE INDEX attempts_by_time ON attempts (at);

CREATE TABLE lanes (                   -- endpoints that fail, or failed
    org      TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    failing  INTEGER,                  -- since
    disabled INTEGER,                  -- since
    why      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (org, endpoint)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE lanes;
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE outbox;
DROP TABLE messages;
