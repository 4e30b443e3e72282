-- Times are integers: microseconds since 1970, UTC.

-- +goose Up
CREATE TABLE journals (
    journal  TEXT PRIMARY KEY,         -- id
    node     TEXT NOT NULL,
    segment  INTEGER NOT NULL,         -- up to where it was taken in
    "offset" INTEGER NOT NULL,
    until    INTEGER NOT NULL          -- what it recorded before is here
) STRICT, WITHOUT ROWID;
CREATE INDEX journals_of_node ON journals (node);

-- +goose Down
DROP TABLE journals;
