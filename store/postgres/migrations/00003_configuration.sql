-- What holds from one revision to another has "first" and "last": the revisions in
-- which it was new, and in which it was for the last time, NULL while it is in force.

-- +goose Up
CREATE TABLE organizations (
    org      text PRIMARY KEY,
    revision integer NOT NULL,         -- the newest
    removed  boolean NOT NULL          -- by that revision
);

CREATE TABLE revisions (
    org      text NOT NULL,
    revision integer NOT NULL,
    author   text NOT NULL,
    note     text NOT NULL,
    time     timestamptz NOT NULL,
    removed  boolean NOT NULL,
    folder   text NOT NULL,
    counts   jsonb NOT NULL,
    PRIMARY KEY (org, revision)
);

CREATE TABLE texts (
    org  text NOT NULL,
    hash bytea NOT NULL,               -- SHA-256
    text bytea NOT NULL,
    PRIMARY KEY (org, hash)
);

CREATE TABLE files (
    org   text NOT NULL,
    path  text NOT NULL,
    first integer NOT NULL,
    last  integer,
    hash  bytea NOT NULL,
    PRIMARY KEY (org, path, first),
    FOREIGN KEY (org, hash) REFERENCES texts
);

CREATE TABLE entities (
    org   text NOT NULL,
    kind  text NOT NULL,
    slug  text NOT NULL,
    id    uuid NOT NULL UNIQUE,
    first integer NOT NULL,
    last  integer,
    PRIMARY KEY (org, kind, slug)
);
CREATE UNIQUE INDEX numbers_in_force ON entities (slug) WHERE kind = 'number' AND last IS NULL;

CREATE TABLE flow_versions (
    org     text NOT NULL,
    flow    text NOT NULL,
    version text NOT NULL,
    bundle  text NOT NULL,
    first   integer NOT NULL,
    last    integer,
    PRIMARY KEY (org, flow, version),
    FOREIGN KEY (org, first) REFERENCES revisions
);
CREATE INDEX flow_versions_of_any ON flow_versions (flow, version);

-- +goose Down
DROP TABLE flow_versions;
DROP TABLE entities;
DROP TABLE files;
DROP TABLE texts;
DROP TABLE revisions;
DROP TABLE organizations;
