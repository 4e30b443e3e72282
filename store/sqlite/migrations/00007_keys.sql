-- +goose Up
CREATE TABLE keys (                    -- of the API and of incoming webhooks
    org       TEXT NOT NULL,
    id        TEXT NOT NULL,
    name      TEXT NOT NULL,
    hash      BLOB NOT NULL UNIQUE,    -- SHA-256 of the key
    scopes    TEXT NOT NULL,           -- JSON
    created   INTEGER NOT NULL,
    author    TEXT NOT NULL,
    ends      INTEGER,                 -- null: never
    used      INTEGER,                 -- last
    used_from TEXT NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    n       INTEGER PRIMARY KEY,       -- order of those of a name
    org     TEXT NOT NULL,
    name    TEXT NOT NULL,
    sealed  BLOB NOT NULL,
    key_id  TEXT NOT NULL,             -- of the key that it is sealed with
    created INTEGER NOT NULL,
    ends    INTEGER                    -- null: never
) STRICT;
CREATE INDEX secrets_by_name ON secrets (org, name);

CREATE TABLE requests (                -- that came to incoming webhooks
    n        INTEGER PRIMARY KEY,
    org      TEXT NOT NULL,
    webhook  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    took_ns  INTEGER NOT NULL,
    address  TEXT NOT NULL,            -- of the sender
    key_id   TEXT NOT NULL,
    method   TEXT NOT NULL,
    url      TEXT NOT NULL,
    status   INTEGER NOT NULL,         -- of the answer
    answer   BLOB,                     -- JSON
    call     TEXT NOT NULL,            -- id
    caller   TEXT NOT NULL,
    repeated INTEGER NOT NULL,
    header   BLOB NOT NULL,            -- JSON
    body     BLOB NOT NULL,
    cut      INTEGER NOT NULL          -- the body was longer
) STRICT;
CREATE INDEX requests_by_time ON requests (org, at);
CREATE INDEX requests_by_call ON requests (org, call, at) WHERE call <> '';
CREATE INDEX requests_by_caller ON requests (org, ltrim(caller, '+'), at) WHERE caller <> '';
CREATE INDEX requests_by_webhook ON requests (org, webhook, at);
CREATE INDEX requests_by_status ON requests (org, status, at);
CREATE INDEX requests_by_age ON requests (at);

-- +goose Down
DROP TABLE requests;
DROP TABLE secrets;
DROP TABLE keys;
