-- What holds from one revision to another has "first" and "last": the revisions in
-- which it was new, and in which it was for the last time, NULL while it is in force.

-- +goose Up
CREATE TABLE organizations (
    org      TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,         -- the newest
    removed  INTEGER NOT NULL          -- 1: by that revision
) STRICT, WITHOUT ROWID;

CREATE TABLE revisions (
    org      TEXT NOT NULL,
    revision INTEGER NOT NULL,
    author   TEXT NOT NULL,
    note     TEXT NOT NULL,
    time     INTEGER NOT NULL,
    removed  INTEGER NOT NULL,
    folder   TEXT NOT NULL,
    counts   TEXT NOT NULL,            -- JSON
    PRIMARY KEY (org, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE texts (
    org  TEXT NOT NULL,
    hash BLOB NOT NULL,                -- SHA-256
    text BLOB NOT NULL,
    PRIMARY KEY (org, hash)
) STRICT;

CREATE TABLE files (
    org   TEXT NOT NULL,
    path  TEXT NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER,
    hash  BLOB NOT NULL,
    PRIMARY KEY (org, path, first),
    FOREIGN KEY (org, hash) REFERENCES texts
) STRICT, WITHOUT ROWID;

CREATE TABLE entities (
    org   TEXT NOT NULL,
    kind  TEXT NOT NULL,
    slug  TEXT NOT NULL,
    id    TEXT NOT NULL UNIQUE,        -- UUID
    first INTEGER NOT NULL,
    last  INTEGER,
    PRIMARY KEY (org, kind, slug)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX numbers_in_force ON entities (slug) WHERE kind = 'number' AND last IS NULL;

CREATE TABLE flow_versions (
    org     TEXT NOT NULL,
    flow    TEXT NOT NULL,
    version TEXT NOT NULL,
    bundle  TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER,
    PRIMARY KEY (org, flow, version),
    FOREIGN KEY (org, first) REFERENCES revisions
) STRICT;
CREATE INDEX flow_versions_of_any ON flow_versions (flow, version);

-- +goose Down
DROP TABLE flow_versions;
DROP TABLE entities;
DROP TABLE files;
DROP TABLE texts;
DROP TABLE revisions;
DROP TABLE organizations;
