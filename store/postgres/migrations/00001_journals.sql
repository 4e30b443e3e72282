-- +goose Up
CREATE TABLE journals (
    journal  text PRIMARY KEY,         -- id
    node     text NOT NULL,
    segment  integer NOT NULL,         -- up to where it was taken in
    "offset" bigint NOT NULL,
    until    timestamptz NOT NULL      -- what it recorded before is here
);
CREATE INDEX journals_of_node ON journals (node);

-- +goose Down
DROP TABLE journals;
