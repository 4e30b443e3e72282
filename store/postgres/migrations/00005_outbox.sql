-- What is told to endpoints. A delivery is a row of outbox until it is done, and of deliveries
-- from then on, under the same number, n: the deliveries of a call to an endpoint are made in
-- its order. What changes with every claim is in no index.

-- +goose Up
CREATE SEQUENCE delivery_numbers;

CREATE TABLE messages (
    org  text COLLATE "C" NOT NULL,
    id   text COLLATE "C" NOT NULL,
    call text COLLATE "C" NOT NULL,    -- id; '': of none
    type text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,         -- of what happened
    body bytea NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX messages_by_time ON messages USING brin (time);

CREATE TABLE outbox (                  -- deliveries that are not done
    org      text COLLATE "C" NOT NULL,
    n        bigint NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    message  text COLLATE "C" NOT NULL, -- id
    call     text COLLATE "C" NOT NULL,
    type     text COLLATE "C" NOT NULL,
    resent   boolean NOT NULL,
    created  timestamptz NOT NULL,
    due      timestamptz NOT NULL,
    node     text NOT NULL DEFAULT '',  -- that has the lease
    token    bigint NOT NULL DEFAULT 0, -- of the last lease
    until    timestamptz,               -- end of the lease; null: there is none
    tries    integer NOT NULL DEFAULT 0,
    first    timestamptz,               -- attempt
    status   integer NOT NULL DEFAULT 0,
    error    text NOT NULL DEFAULT '',
    PRIMARY KEY (org, n)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_by_due ON outbox (org, endpoint, due, n);
CREATE INDEX outbox_by_call ON outbox (call, endpoint, n);
CREATE UNIQUE INDEX outbox_by_number ON outbox (n);

CREATE TABLE deliveries (              -- that are done
    org      text COLLATE "C" NOT NULL,
    n        bigint NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    message  text COLLATE "C" NOT NULL,
    call     text COLLATE "C" NOT NULL,
    type     text COLLATE "C" NOT NULL,
    resent   boolean NOT NULL,
    created  timestamptz NOT NULL,
    state    text COLLATE "C" NOT NULL, -- delivered, given_up, dropped
    tries    integer NOT NULL,
    first    timestamptz,
    status   integer NOT NULL,         -- of the last answer; 0: there was none
    error    text NOT NULL,
    done     timestamptz NOT NULL,
    PRIMARY KEY (org, n)
);
CREATE INDEX deliveries_by_call ON deliveries (org, call, n);
CREATE INDEX deliveries_by_endpoint ON deliveries (org, endpoint, n);
CREATE INDEX deliveries_by_type ON deliveries (org, type, n);
CREATE INDEX deliveries_by_state ON deliveries (org, state, n) WHERE state <> 'delivered';
CREATE INDEX deliveries_by_status ON deliveries (org, status, n) WHERE status <> 200;
CREATE INDEX deliveries_by_time ON deliveries USING brin (done);

CREATE TABLE attempts (                -- partitions of a day each
    org      text COLLATE "C" NOT NULL,
    delivery bigint NOT NULL,
    at       timestamptz NOT NULL,
    token    bigint NOT NULL,
    try      integer NOT NULL,
    node     text NOT NULL,
    took_ns  bigint NOT NULL,
    request  bytea NOT NULL,           -- JSON
    response bytea NOT NULL,           -- JSON
    error    text NOT NULL,
    state    text NOT NULL,            -- of the delivery after it
    due      timestamptz,              -- null: it was the last
    PRIMARY KEY (org, delivery, at, token)
) PARTITION BY RANGE (at);

CREATE TABLE lanes (                   -- endpoints that fail, or failed
    org      text COLLATE "C" NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    failing  timestamptz,              -- since
    disabled timestamptz,              -- since
    why      text NOT NULL DEFAULT '',
    PRIMARY KEY (org, endpoint)
);

-- +goose Down
DROP TABLE lanes, attempts, deliveries, outbox, messages;
DROP SEQUENCE delivery_numbers;
