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
    late        INTEGER NOT NULL, revenue INTEGER, revenue_currency TEXT NOT NULL DEFAULT '', payout INTEGER, payout_currency TEXT NOT NULL DEFAULT '', converted INTEGER, converted_at INTEGER,
    UNIQUE (org, id)
) STRICT;
CREATE TABLE counts (                  -- calls of a target in a period, reserved or connected
    org    TEXT NOT NULL,
    target TEXT NOT NULL,
    period TEXT NOT NULL,              -- hour, day, month, total
    since  INTEGER NOT NULL,           -- total: 0
    n      INTEGER NOT NULL,
    PRIMARY KEY (org, target, period, since)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE entities (
    org   TEXT NOT NULL,
    kind  TEXT NOT NULL,
    slug  TEXT NOT NULL,
    id    TEXT NOT NULL UNIQUE,        -- UUID
    first INTEGER NOT NULL,
    last  INTEGER,
    PRIMARY KEY (org, kind, slug)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (                   -- what one batch of a journal held of a call
    org   TEXT NOT NULL,
    call  INTEGER NOT NULL,
    epoch INTEGER NOT NULL, -- of the first event
    node  TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    time  INTEGER NOT NULL,
    lines BLOB NOT NULL,    -- as they stand in the journal
    UNIQUE (org, call, epoch, node, seq, time)
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
CREATE TABLE gaps (                     -- journals that may still hold events of a call
    org   TEXT NOT NULL,
    call  INTEGER NOT NULL,
    node  TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (org, call, node)
) STRICT, WITHOUT ROWID;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
CREATE TABLE input_numbers (n INTEGER NOT NULL) STRICT;
CREATE TABLE inputs (                   -- that wait: for a call, for its node, or for its end
    n        INTEGER PRIMARY KEY,       -- in the order in which they were bound to calls, or came
    org      TEXT NOT NULL,
    id       TEXT NOT NULL,
    webhook  TEXT NOT NULL,
    caller   TEXT NOT NULL,             -- without +
    call     TEXT NOT NULL,             -- id; empty: it waits for the caller's next one
    received INTEGER NOT NULL,
    bound    INTEGER,                   -- when it was, to the call
    expires  INTEGER NOT NULL,
    events   BLOB NOT NULL              -- JSON
) STRICT;
CREATE TABLE journals (
    journal  TEXT PRIMARY KEY,         -- id
    node     TEXT NOT NULL,
    segment  INTEGER NOT NULL,         -- up to where it was taken in
    "offset" INTEGER NOT NULL,
    until    INTEGER NOT NULL          -- what it recorded before is here
, since INTEGER NOT NULL DEFAULT 0, closed INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
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
CREATE TABLE lanes (                   -- endpoints that fail, or failed
    org      TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    failing  INTEGER,                  -- since
    disabled INTEGER,                  -- since
    why      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (org, endpoint)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger (                   -- rows are added, and never changed
    org      TEXT NOT NULL,
    call     INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    key      TEXT NOT NULL,             -- what the entry is about: an input, or a rule
    time     INTEGER NOT NULL,
    kind     TEXT NOT NULL,             -- revenue or payout
    amount   INTEGER NOT NULL,
    currency TEXT NOT NULL,
    source   TEXT NOT NULL,
    reason   TEXT NOT NULL,
    replaced TEXT,                      -- AMOUNT CURRENCY
    PRIMARY KEY (org, call, place)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE messages (
    org  TEXT NOT NULL,
    id   TEXT NOT NULL,
    call TEXT NOT NULL,    -- id; '': of none
    type TEXT NOT NULL,
    time INTEGER NOT NULL, -- of what happened
    body BLOB NOT NULL,
    UNIQUE (org, id)
) STRICT;
CREATE TABLE nodes (
    node TEXT PRIMARY KEY,
    seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE organizations (
    org      TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,         -- the newest
    removed  INTEGER NOT NULL          -- 1: by that revision
) STRICT, WITHOUT ROWID;
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
CREATE TABLE receipts (                 -- of inputs with idempotency keys
    org      TEXT NOT NULL,
    webhook  TEXT NOT NULL,
    key      TEXT NOT NULL,
    received INTEGER NOT NULL,
    receipt  TEXT NOT NULL,             -- JSON
    PRIMARY KEY (org, webhook, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE rejected (                 -- events of which no rows could be made
    org     TEXT NOT NULL,
    id      TEXT NOT NULL,    -- of the call
    journal TEXT NOT NULL,
    until   INTEGER NOT NULL, -- of the batch
    reason  TEXT NOT NULL,
    lines   BLOB NOT NULL
) STRICT;
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
CREATE TABLE secrets (
    n       INTEGER PRIMARY KEY,       -- order of those of a name
    org     TEXT NOT NULL,
    name    TEXT NOT NULL,
    sealed  BLOB NOT NULL,
    key_id  TEXT NOT NULL,             -- of the key that it is sealed with
    created INTEGER NOT NULL,
    ends    INTEGER                    -- null: never
) STRICT;
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
    current  INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT 0, -- not replaced by a later one
    PRIMARY KEY (org, call, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE texts (
    org  TEXT NOT NULL,
    hash BLOB NOT NULL,                -- SHA-256
    text BLOB NOT NULL,
    PRIMARY KEY (org, hash)
) STRICT;
CREATE TABLE turns (
    org TEXT NOT NULL,
    key TEXT NOT NULL,
    n   INTEGER NOT NULL,              -- how often it was asked for
    PRIMARY KEY (org, key)
) STRICT, WITHOUT ROWID;
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
CREATE INDEX attempts_by_time ON attempts (at);
CREATE INDEX calls_by_caller ON calls (org, ltrim(caller, '+'), started);
CREATE INDEX calls_by_campaign ON calls (org, campaign, started) WHERE campaign <> '';
CREATE INDEX calls_by_cause ON calls (org, cause, started) WHERE cause <> '';
CREATE INDEX calls_by_number ON calls (org, ltrim(number, '+'), started);
CREATE INDEX calls_by_state ON calls (org, state, started) WHERE state <> 'complete';
CREATE INDEX calls_by_time ON calls (org, started);
CREATE INDEX calls_waiting ON calls (waits) WHERE state = 'settling';
CREATE INDEX counts_since ON counts (since);
CREATE INDEX deliveries_by_call ON deliveries (org, call);
CREATE INDEX deliveries_by_endpoint ON deliveries (org, endpoint);
CREATE INDEX deliveries_by_state ON deliveries (org, state) WHERE state <> 'delivered';
CREATE INDEX deliveries_by_status ON deliveries (org, status) WHERE status <> 200;
CREATE INDEX deliveries_by_time ON deliveries (done);
CREATE INDEX deliveries_by_type ON deliveries (org, type);
CREATE INDEX deliveries_of ON deliveries (org);
CREATE INDEX flow_versions_of_any ON flow_versions (flow, version);
CREATE INDEX gaps_of_node ON gaps (node, since);
CREATE INDEX inputs_bound ON inputs (bound) WHERE call <> '';
CREATE INDEX inputs_expire ON inputs (expires);
CREATE INDEX inputs_of_call ON inputs (org, call) WHERE call <> '';
CREATE INDEX inputs_of_caller ON inputs (org, caller) WHERE call = '';
CREATE INDEX journals_of_node ON journals (node);
CREATE INDEX legs_by_target ON legs (org, target, started, call) WHERE first;
CREATE INDEX messages_by_time ON messages (time);
CREATE UNIQUE INDEX numbers_in_force ON entities (slug) WHERE kind = 'number' AND last IS NULL;
CREATE INDEX outbox_by_call ON outbox (org, call, endpoint);
CREATE INDEX outbox_by_due ON outbox (org, endpoint, due);
CREATE INDEX outbox_of ON outbox (org);
CREATE INDEX receipts_by_time ON receipts (received);
CREATE INDEX requests_by_age ON requests (at);
CREATE INDEX requests_by_call ON requests (org, call, at) WHERE call <> '';
CREATE INDEX requests_by_caller ON requests (org, ltrim(caller, '+'), at) WHERE caller <> '';
CREATE INDEX requests_by_status ON requests (org, status, at);
CREATE INDEX requests_by_time ON requests (org, at);
CREATE INDEX requests_by_webhook ON requests (org, webhook, at);
CREATE INDEX secrets_by_name ON secrets (org, name);
CREATE INDEX slots_by_time ON slots (connected) WHERE freed IS NOT NULL AND connected IS NOT NULL;
CREATE INDEX slots_connected ON slots (org, caller, connected) WHERE connected IS NOT NULL;
CREATE INDEX slots_in_use ON slots (org, target) WHERE freed IS NULL;
CREATE INDEX slots_renewed ON slots (renewed) WHERE freed IS NULL;
CREATE INDEX slots_unconnected ON slots (freed) WHERE freed IS NOT NULL AND connected IS NULL;
CREATE INDEX tags_by_name ON tags (org, name, started, call) WHERE current;
CREATE INDEX tags_by_value ON tags (org, name, substr(value, 1, 100), started, call) WHERE current;
INSERT INTO goose_db_version ("id", "version_id", "is_applied", "tstamp") VALUES (1, 0, 1, '2026-11-25 21:14:12');
INSERT INTO goose_db_version ("id", "version_id", "is_applied", "tstamp") VALUES (2, 1, 1, '2026-11-25 21:14:12');
INSERT INTO goose_db_version ("id", "version_id", "is_applied", "tstamp") VALUES (3, 2, 1, '2026-11-25 21:14:12');
INSERT INTO goose_db_version ("id", "version_id", "is_applied", "tstamp") VALUES (4, 3, 1, '2026-11-25 21:14:12');
INSERT INTO goose_db_version ("id", "version_id", "is_applied", "tstamp") VALUES (5, 4, 1, '2026-11-25 21:14:12');
INSERT INTO goose_db_version ("id", "version_id", "is_applied", "tstamp") VALUES (6, 5, 1, '2026-11-25 21:14:12');
INSERT INTO goose_db_version ("id", "version_id", "is_applied", "tstamp") VALUES (7, 6, 1, '2026-11-25 21:14:12');
INSERT INTO goose_db_version ("id", "version_id", "is_applied", "tstamp") VALUES (8, 7, 1, '2026-11-25 21:14:12');
INSERT INTO journals ("journal", "node", "segment", "offset", "until", "since", "closed") VALUES ('journal of n1 of acme', 'n1', 0, 859, 1772722800123456, 1772719200123456, 0);
INSERT INTO journals ("journal", "node", "segment", "offset", "until", "since", "closed") VALUES ('journal of n2', 'n2', 0, 1294, 1772722800123456, 1772719200123456, 0);
INSERT INTO calls ("org", "n", "id", "state", "waits", "started", "answered", "connected", "ended", "number", "caller", "name", "campaign", "publisher", "mode", "flow", "version", "target", "step", "cause", "q850", "hung_up_by", "billed_ms", "duration_ms", "talked_ms", "switch", "sip_call_id", "node", "late", "revenue", "revenue_currency", "payout", "payout_currency", "converted", "converted_at") VALUES ('acme', 1, 'call of acme', 'complete', NULL, 1772719200123456, 1772719201123456, NULL, 1772719203123456, '+15550100', '+13105550111', '', 'roofing', '', '', '', '', '', 'welcome', 'NORMAL_CLEARING', 16, '', 2000, 3000, 0, '', '', 'n1', 0, 40000000, 'USD', 25500000, 'USD', 1, 1772722800123456);
INSERT INTO calls ("org", "n", "id", "state", "waits", "started", "answered", "connected", "ended", "number", "caller", "name", "campaign", "publisher", "mode", "flow", "version", "target", "step", "cause", "q850", "hung_up_by", "billed_ms", "duration_ms", "talked_ms", "switch", "sip_call_id", "node", "late", "revenue", "revenue_currency", "payout", "payout_currency", "converted", "converted_at") VALUES ('acme', 3, 'settling', 'settling', NULL, 1772719260123456, NULL, NULL, 1772719261123456, '', '', '', '', '', '', '', '', '', '', 'NORMAL_CLEARING', 16, '', 0, 1000, 0, '', '', 'n2', 0, NULL, '', NULL, '', NULL, NULL);
INSERT INTO calls ("org", "n", "id", "state", "waits", "started", "answered", "connected", "ended", "number", "caller", "name", "campaign", "publisher", "mode", "flow", "version", "target", "step", "cause", "q850", "hung_up_by", "billed_ms", "duration_ms", "talked_ms", "switch", "sip_call_id", "node", "late", "revenue", "revenue_currency", "payout", "payout_currency", "converted", "converted_at") VALUES ('acme', 4, 'open', 'open', NULL, 1772719200123456, 1772719201123456, NULL, NULL, '+15550100', '+13105550111', '', 'roofing', '', '', '', '', '', '', '', 0, '', 0, 0, 0, '', '', 'n1', 0, NULL, '', NULL, '', NULL, NULL);
INSERT INTO calls ("org", "n", "id", "state", "waits", "started", "answered", "connected", "ended", "number", "caller", "name", "campaign", "publisher", "mode", "flow", "version", "target", "step", "cause", "q850", "hung_up_by", "billed_ms", "duration_ms", "talked_ms", "switch", "sip_call_id", "node", "late", "revenue", "revenue_currency", "payout", "payout_currency", "converted", "converted_at") VALUES ('beta', 2, 'call of beta', 'complete', NULL, 1772719200123456, 1772719201123456, NULL, 1772719203123456, '+15550100', '+13105550111', '', 'roofing', '', '', '', '', '', 'welcome', 'NORMAL_CLEARING', 16, '', 2000, 3000, 0, '', '', 'n1', 0, NULL, '', NULL, '', NULL, NULL);
INSERT INTO events ("org", "call", "epoch", "node", "seq", "time", "lines") VALUES ('acme', 1, 1, 'n1', 1, 1772719200123456, X'7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A312C22736571223A312C2274696D65223A22323032362D30332D30355431343A30303A30302E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E73746172746564222C226174747273223A7B2263616D706169676E223A22726F6F66696E67222C2266726F6D223A222B3133313035353530313131222C22746F223A222B3135353530313030227D7D0A7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A312C22736571223A322C2274696D65223A22323032362D30332D30355431343A30303A30312E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E616E737765726564227D0A7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A312C22736571223A332C2274696D65223A22323032362D30332D30355431343A30303A30322E3132333435365A222C226E6F6465223A226E31222C2274797065223A22666C6F772E73746570222C2273746570223A2277656C636F6D65222C226B696E64223A226D656E75222C2265786974223A2231222C226D73223A313230307D0A7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A312C22736571223A342C2274696D65223A22323032362D30332D30355431343A30303A30302E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E746167735F75706461746564222C226174747273223A7B22746167223A226F66222C2276616C7565223A2261636D65227D7D0A7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A312C22736571223A352C2274696D65223A22323032362D30332D30355431343A30303A30332E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E656E646564222C226361757365223A224E4F524D414C5F434C454152494E47222C226174747273223A7B2262696C6C6564223A2232303030222C226475726174696F6E223A2233303030227D7D0A');
INSERT INTO events ("org", "call", "epoch", "node", "seq", "time", "lines") VALUES ('acme', 1, 1048576, '', 1, 1772722800123456, X'7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A313034383537362C22736571223A312C2274696D65223A22323032362D30332D30355431353A30303A30302E3132333435365A222C2274797065223A2263616C6C2E726576656E75655F75706461746564222C226174747273223A7B22616D6F756E74223A223430222C2263757272656E6379223A22555344222C22696E707574223A2273616C65206F662061636D65222C226B696E64223A22726576656E7565222C22736F75726365223A22776562686F6F6B3A6C65616473227D7D0A7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A313034383537362C22736571223A322C2274696D65223A22323032362D30332D30355431353A30303A30302E3132333435365A222C2274797065223A2263616C6C2E726576656E75655F75706461746564222C226174747273223A7B22616D6F756E74223A2232352E35222C2263757272656E6379223A22555344222C22696E707574223A2273616C65206F662061636D65222C226B696E64223A227061796F7574222C22736F75726365223A22776562686F6F6B3A6C65616473227D7D0A7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A313034383537362C22736571223A332C2274696D65223A22323032362D30332D30355431353A30303A30302E3132333435365A222C2274797065223A2263616C6C2E636F6E766572746564222C226174747273223A7B22636F6E766572746564223A2274727565222C22696E707574223A2273616C65206F662061636D65222C22736F75726365223A22776562686F6F6B3A6C65616473227D7D0A7B2263616C6C223A2263616C6C206F662061636D65222C226F7267223A2261636D65222C2265706F6368223A313034383537362C22736571223A342C2274696D65223A22323032362D30332D30355431353A30303A30302E3132333435365A222C2274797065223A2263616C6C2E746167735F75706461746564222C226174747273223A7B22696E707574223A2273616C65206F662061636D65222C2272656D6F766564223A2274727565222C227265706C61636564223A2261636D65222C22736F75726365223A22776562686F6F6B3A6C65616473222C22746167223A226F66227D7D0A');
INSERT INTO events ("org", "call", "epoch", "node", "seq", "time", "lines") VALUES ('acme', 3, 2, 'n2', 1, 1772719260123456, X'7B2263616C6C223A22736574746C696E67222C226F7267223A2261636D65222C2265706F6368223A322C22736571223A312C2274696D65223A22323032362D30332D30355431343A30313A30302E3132333435365A222C226E6F6465223A226E32222C2274797065223A2263616C6C2E726573756D6564222C226174747273223A7B2266726F6D5F6E6F6465223A226E33227D7D0A7B2263616C6C223A22736574746C696E67222C226F7267223A2261636D65222C2265706F6368223A322C22736571223A322C2274696D65223A22323032362D30332D30355431343A30313A30312E3132333435365A222C226E6F6465223A226E32222C2274797065223A2263616C6C2E656E646564222C226361757365223A224E4F524D414C5F434C454152494E47227D0A');
INSERT INTO events ("org", "call", "epoch", "node", "seq", "time", "lines") VALUES ('acme', 4, 1, 'n1', 1, 1772719200123456, X'7B2263616C6C223A226F70656E222C226F7267223A2261636D65222C2265706F6368223A312C22736571223A312C2274696D65223A22323032362D30332D30355431343A30303A30302E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E73746172746564222C226174747273223A7B2263616D706169676E223A22726F6F66696E67222C2266726F6D223A222B3133313035353530313131222C22746F223A222B3135353530313030227D7D0A7B2263616C6C223A226F70656E222C226F7267223A2261636D65222C2265706F6368223A312C22736571223A322C2274696D65223A22323032362D30332D30355431343A30303A30312E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E616E737765726564227D0A');
INSERT INTO events ("org", "call", "epoch", "node", "seq", "time", "lines") VALUES ('beta', 2, 1, 'n1', 1, 1772719200123456, X'7B2263616C6C223A2263616C6C206F662062657461222C226F7267223A2262657461222C2265706F6368223A312C22736571223A312C2274696D65223A22323032362D30332D30355431343A30303A30302E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E73746172746564222C226174747273223A7B2263616D706169676E223A22726F6F66696E67222C2266726F6D223A222B3133313035353530313131222C22746F223A222B3135353530313030227D7D0A7B2263616C6C223A2263616C6C206F662062657461222C226F7267223A2262657461222C2265706F6368223A312C22736571223A322C2274696D65223A22323032362D30332D30355431343A30303A30312E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E616E737765726564227D0A7B2263616C6C223A2263616C6C206F662062657461222C226F7267223A2262657461222C2265706F6368223A312C22736571223A332C2274696D65223A22323032362D30332D30355431343A30303A30322E3132333435365A222C226E6F6465223A226E31222C2274797065223A22666C6F772E73746570222C2273746570223A2277656C636F6D65222C226B696E64223A226D656E75222C2265786974223A2231222C226D73223A313230307D0A7B2263616C6C223A2263616C6C206F662062657461222C226F7267223A2262657461222C2265706F6368223A312C22736571223A342C2274696D65223A22323032362D30332D30355431343A30303A30332E3132333435365A222C226E6F6465223A226E31222C2274797065223A2263616C6C2E656E646564222C226361757365223A224E4F524D414C5F434C454152494E47222C226174747273223A7B2262696C6C6564223A2232303030222C226475726174696F6E223A2233303030227D7D0A');
INSERT INTO tags ("org", "call", "place", "started", "name", "value", "source", "step", "time", "replaced", "current", "removed") VALUES ('acme', 1, 0, 1772719200123456, 'of', 'acme', '', '', 1772719200123456, NULL, 0, 0);
INSERT INTO tags ("org", "call", "place", "started", "name", "value", "source", "step", "time", "replaced", "current", "removed") VALUES ('acme', 1, 1, 1772719200123456, 'of', '', 'webhook:leads', '', 1772722800123456, 'acme', 0, 1);
INSERT INTO gaps ("org", "call", "node", "since") VALUES ('acme', 3, 'n3', 1772719260123456);
INSERT INTO organizations ("org", "revision", "removed") VALUES ('acme', 2, 0);
INSERT INTO organizations ("org", "revision", "removed") VALUES ('beta', 1, 0);
INSERT INTO revisions ("org", "revision", "author", "note", "time", "removed", "folder", "counts") VALUES ('acme', 1, 'ann', 'why', 1795641252093386, 0, '', '{"file":3,"flow":2,"number":1}');
INSERT INTO revisions ("org", "revision", "author", "note", "time", "removed", "folder", "counts") VALUES ('acme', 2, 'ann', 'why', 1795641252130144, 0, '', '{"file":3,"flow":2,"number":1}');
INSERT INTO revisions ("org", "revision", "author", "note", "time", "removed", "folder", "counts") VALUES ('beta', 1, 'ann', 'why', 1795641252130220, 0, '', '{"file":3,"flow":2,"number":1}');
INSERT INTO texts ("org", "hash", "text") VALUES ('acme', X'0967115F2813A3541EAEF77DE9D9D5773F1C0C04314B0BBFE4FF3B3B1C55B5D5', X'73616D65');
INSERT INTO texts ("org", "hash", "text") VALUES ('acme', X'3BE941053B894D32E38B382A85504D627315E1C2901A81513302ED4FE34310B9', X'61636D6531');
INSERT INTO texts ("org", "hash", "text") VALUES ('acme', X'6B86B273FF34FCE19D6B804EFF5A3F5747ADA4EAA22F1D49C01E52DDB7875B4B', X'31');
INSERT INTO texts ("org", "hash", "text") VALUES ('acme', X'AE1D7E0F956AF7B70E9B1707F4F50E47B23D8C39956CEEC41FCE5A8756F24176', X'61636D6532');
INSERT INTO texts ("org", "hash", "text") VALUES ('acme', X'D4735E3A265E16EEE03F59718B9B5D03019C07D8B6C51F90DA3A666EEC13AB35', X'32');
INSERT INTO texts ("org", "hash", "text") VALUES ('beta', X'0967115F2813A3541EAEF77DE9D9D5773F1C0C04314B0BBFE4FF3B3B1C55B5D5', X'73616D65');
INSERT INTO texts ("org", "hash", "text") VALUES ('beta', X'4E07408562BEDB8B60CE05C1DECFE3AD16B72230967DE01F640B7E4729B49FCE', X'33');
INSERT INTO texts ("org", "hash", "text") VALUES ('beta', X'94C92C82C83E4CA2C1E892707C42C1E9A6ABBAE5C02AD3684CE0B554FCAEF745', X'6265746133');
INSERT INTO files ("org", "path", "first", "last", "hash") VALUES ('acme', '1.yaml', 1, 1, X'6B86B273FF34FCE19D6B804EFF5A3F5747ADA4EAA22F1D49C01E52DDB7875B4B');
INSERT INTO files ("org", "path", "first", "last", "hash") VALUES ('acme', '2.yaml', 2, NULL, X'D4735E3A265E16EEE03F59718B9B5D03019C07D8B6C51F90DA3A666EEC13AB35');
INSERT INTO files ("org", "path", "first", "last", "hash") VALUES ('acme', 'a.yaml', 1, 1, X'3BE941053B894D32E38B382A85504D627315E1C2901A81513302ED4FE34310B9');
INSERT INTO files ("org", "path", "first", "last", "hash") VALUES ('acme', 'a.yaml', 2, NULL, X'AE1D7E0F956AF7B70E9B1707F4F50E47B23D8C39956CEEC41FCE5A8756F24176');
INSERT INTO files ("org", "path", "first", "last", "hash") VALUES ('acme', 'same.yaml', 1, NULL, X'0967115F2813A3541EAEF77DE9D9D5773F1C0C04314B0BBFE4FF3B3B1C55B5D5');
INSERT INTO files ("org", "path", "first", "last", "hash") VALUES ('beta', '3.yaml', 1, NULL, X'4E07408562BEDB8B60CE05C1DECFE3AD16B72230967DE01F640B7E4729B49FCE');
INSERT INTO files ("org", "path", "first", "last", "hash") VALUES ('beta', 'a.yaml', 1, NULL, X'94C92C82C83E4CA2C1E892707C42C1E9A6ABBAE5C02AD3684CE0B554FCAEF745');
INSERT INTO files ("org", "path", "first", "last", "hash") VALUES ('beta', 'same.yaml', 1, NULL, X'0967115F2813A3541EAEF77DE9D9D5773F1C0C04314B0BBFE4FF3B3B1C55B5D5');
INSERT INTO entities ("org", "kind", "slug", "id", "first", "last") VALUES ('acme', 'flow', 'f1', '1b724aac-6c48-4d27-85c1-036188dc0367', 1, 1);
INSERT INTO entities ("org", "kind", "slug", "id", "first", "last") VALUES ('acme', 'flow', 'f2', '393fe4b1-a2d6-4172-a3bb-55ff10bf5e99', 2, NULL);
INSERT INTO entities ("org", "kind", "slug", "id", "first", "last") VALUES ('acme', 'flow', 'main', '01cf4839-af4a-48db-91b0-1202c8822a33', 1, NULL);
INSERT INTO entities ("org", "kind", "slug", "id", "first", "last") VALUES ('acme', 'number', 'acme1', '0adb10ee-fa6a-41c1-bf2d-0df3d4078d81', 1, 1);
INSERT INTO entities ("org", "kind", "slug", "id", "first", "last") VALUES ('acme', 'number', 'acme2', 'c40a0f93-fe41-4e03-bea2-8adc06f9019e', 2, NULL);
INSERT INTO entities ("org", "kind", "slug", "id", "first", "last") VALUES ('beta', 'flow', 'f3', '0553a067-1392-48a0-ae26-9af5137a35c9', 1, NULL);
INSERT INTO entities ("org", "kind", "slug", "id", "first", "last") VALUES ('beta', 'flow', 'main', '7eebff35-af17-4f3a-91dc-4298e6c3b6a2', 1, NULL);
INSERT INTO entities ("org", "kind", "slug", "id", "first", "last") VALUES ('beta', 'number', 'beta3', '3e37d90b-e2a8-41ed-b5ad-3c5baf9134fb', 1, NULL);
INSERT INTO flow_versions ("org", "flow", "version", "bundle", "first", "last") VALUES ('acme', 'main', '0000000000000001', 'flow: main # acme1', 1, 1);
INSERT INTO flow_versions ("org", "flow", "version", "bundle", "first", "last") VALUES ('acme', 'main', '0000000000000002', 'flow: main # acme2', 2, NULL);
INSERT INTO flow_versions ("org", "flow", "version", "bundle", "first", "last") VALUES ('beta', 'main', '0000000000000003', 'flow: main # beta3', 1, NULL);
INSERT INTO slots ("call", "org", "leg", "target", "campaign", "buyer", "caller", "switch", "node", "hour", "day", "month", "counted", "connected", "freed", "renewed") VALUES ('call of acme', 'acme', 'leg of acme', 'alice', '', '', '15550100', '', '', 1772719200000000, 1772668800000000, 1772323200000000, 1, 1772719200123456, NULL, 1795641252094692);
INSERT INTO slots ("call", "org", "leg", "target", "campaign", "buyer", "caller", "switch", "node", "hour", "day", "month", "counted", "connected", "freed", "renewed") VALUES ('call of beta', 'beta', 'leg of beta', 'alice', '', '', '15550100', '', '', 1772719200000000, 1772668800000000, 1772323200000000, 1, NULL, NULL, 1795641252131723);
INSERT INTO counts ("org", "target", "period", "since", "n") VALUES ('acme', 'alice', 'day', 1772668800000000, 1);
INSERT INTO counts ("org", "target", "period", "since", "n") VALUES ('acme', 'alice', 'hour', 1772719200000000, 1);
INSERT INTO counts ("org", "target", "period", "since", "n") VALUES ('acme', 'alice', 'month', 1772323200000000, 1);
INSERT INTO counts ("org", "target", "period", "since", "n") VALUES ('acme', 'alice', 'total', 0, 1);
INSERT INTO counts ("org", "target", "period", "since", "n") VALUES ('beta', 'alice', 'day', 1772668800000000, 1);
INSERT INTO counts ("org", "target", "period", "since", "n") VALUES ('beta', 'alice', 'hour', 1772719200000000, 1);
INSERT INTO counts ("org", "target", "period", "since", "n") VALUES ('beta', 'alice', 'month', 1772323200000000, 1);
INSERT INTO counts ("org", "target", "period", "since", "n") VALUES ('beta', 'alice', 'total', 0, 1);
INSERT INTO turns ("org", "key", "n") VALUES ('acme', 'sales', 1);
INSERT INTO messages ("org", "id", "call", "type", "time", "body") VALUES ('acme', 'crm', 'call of acme', 'call.ended', 1772719200123456, X'7B7D');
INSERT INTO messages ("org", "id", "call", "type", "time", "body") VALUES ('acme', 'done', 'call of acme', 'call.ended', 1772719200123456, X'7B7D');
INSERT INTO messages ("org", "id", "call", "type", "time", "body") VALUES ('acme', 'failing', 'call of acme', 'call.ended', 1772719200123456, X'7B7D');
INSERT INTO messages ("org", "id", "call", "type", "time", "body") VALUES ('acme', 'leased', 'call of acme', 'call.ended', 1772719200123456, X'7B7D');
INSERT INTO outbox ("org", "n", "endpoint", "message", "call", "type", "resent", "created", "due", "node", "token", "until", "tries", "first", "status", "error") VALUES ('acme', 2, 'failing', 'failing', 'call of acme', 'call.ended', 0, 1795641252104157, 4928392800123456, '', 1, NULL, 1, 1772719200123456, 200, 'refused');
INSERT INTO outbox ("org", "n", "endpoint", "message", "call", "type", "resent", "created", "due", "node", "token", "until", "tries", "first", "status", "error") VALUES ('acme', 3, 'leased', 'leased', 'call of acme', 'call.ended', 0, 1795641252108591, 1795641252108591, 'n1', 1, 1795644852109859, 0, NULL, 0, '');
INSERT INTO outbox ("org", "n", "endpoint", "message", "call", "type", "resent", "created", "due", "node", "token", "until", "tries", "first", "status", "error") VALUES ('acme', 4, 'crm', 'crm', 'call of acme', 'call.ended', 0, 1795641252111992, 1795641252111992, '', 0, NULL, 0, NULL, 0, '');
INSERT INTO deliveries ("org", "n", "endpoint", "message", "call", "type", "resent", "created", "state", "tries", "first", "status", "error", "done") VALUES ('acme', 1, 'done', 'done', 'call of acme', 'call.ended', 0, 1795641252096849, 'delivered', 1, 1772719200123456, 200, '', 1795641252103330);
INSERT INTO attempts ("org", "delivery", "at", "token", "try", "node", "took_ns", "request", "response", "error", "state", "due") VALUES ('acme', 1, 1772719200123456, 1, 1, 'n1', 0, X'7B7D', X'7B22737461747573223A3230307D', '', 'delivered', NULL);
INSERT INTO attempts ("org", "delivery", "at", "token", "try", "node", "took_ns", "request", "response", "error", "state", "due") VALUES ('acme', 2, 1772719200123456, 1, 1, 'n1', 0, X'7B7D', X'7B22737461747573223A3230307D', 'refused', 'pending', 4928392800123456);
INSERT INTO lanes ("org", "endpoint", "failing", "disabled", "why") VALUES ('acme', 'broken', NULL, 1795641252096441, 'it is gone');
INSERT INTO lanes ("org", "endpoint", "failing", "disabled", "why") VALUES ('acme', 'failing', 1772719200123456, NULL, '');
INSERT INTO ledger ("org", "call", "place", "key", "time", "kind", "amount", "currency", "source", "reason", "replaced") VALUES ('acme', 1, 0, 'revenue input sale of acme', 1772722800123456, 'revenue', 40000000, 'USD', 'webhook:leads', '', NULL);
INSERT INTO ledger ("org", "call", "place", "key", "time", "kind", "amount", "currency", "source", "reason", "replaced") VALUES ('acme', 1, 1, 'payout input sale of acme', 1772722800123456, 'payout', 25500000, 'USD', 'webhook:leads', '', NULL);
INSERT INTO inputs ("n", "org", "id", "webhook", "caller", "call", "received", "bound", "expires", "events") VALUES (2, 'acme', 'more of acme', 'leads', '13105550198', '', 1772719200123456, NULL, 1772722800123456, X'5B7B2263616C6C223A22222C2265706F6368223A302C22736571223A302C2274696D65223A22303030312D30312D30315430303A30303A30305A222C2274797065223A2263616C6C2E746167735F75706461746564222C226174747273223A7B22736F75726365223A22776562686F6F6B3A6C65616473222C22746167223A226F66222C2276616C7565223A2261636D65227D7D5D');
INSERT INTO inputs ("n", "org", "id", "webhook", "caller", "call", "received", "bound", "expires", "events") VALUES (3, 'acme', 'data of acme', 'leads', '13105550199', 'live call of acme', 1795641252073957, 1795641252089631, 1798233252089631, X'5B7B2263616C6C223A22222C2265706F6368223A302C22736571223A302C2274696D65223A22303030312D30312D30315430303A30303A30305A222C2274797065223A2263616C6C2E746167735F75706461746564222C226174747273223A7B22736F75726365223A22776562686F6F6B3A6C65616473222C22746167223A226F66222C2276616C7565223A2261636D65227D7D5D');
INSERT INTO input_numbers ("n") VALUES (3);
INSERT INTO receipts ("org", "webhook", "key", "received", "receipt") VALUES ('acme', 'leads', 'data of acme', 1795641252073957, '{"id":"data of acme","outcomes":["waiting"],"wanted":"be2455e8285571fbc716c261538864c3b9a6102ae1cf51acbbbaf7e785616aa3"}');
INSERT INTO receipts ("org", "webhook", "key", "received", "receipt") VALUES ('acme', 'leads', 'more of acme', 1772719200123456, '{"id":"more of acme","outcomes":["waiting"],"wanted":"f02a76abbd70b698758a88041e5ce3a72c3d24280f26ce00216ddf66d3395856"}');
INSERT INTO receipts ("org", "webhook", "key", "received", "receipt") VALUES ('acme', 'leads', 'sale of acme', 1772722800123456, '{"id":"sale of acme","call":"call of acme","outcomes":["applied","applied","applied","applied"],"wanted":"640a28805d403ec44c4dd70d4ad69a178f25c13c2a4440c0675567dbe7840be3"}');
INSERT INTO keys ("org", "id", "name", "hash", "scopes", "created", "author", "ends", "used", "used_from") VALUES ('acme', 'key of acme', 'CRM', X'B150C9C476B320729398AC04AF02B8A82BC3D3BF79EAAAC05925BA9E3DC7DF07', '["calls:read"]', 1772719200123456, 'ann', NULL, NULL, '');
INSERT INTO secrets ("n", "org", "name", "sealed", "key_id", "created", "ends") VALUES (1, 'acme', 'endpoint/crm', X'7365616C656420666F722061636D65', 'k1', 1772719200123456, NULL);
INSERT INTO requests ("n", "org", "webhook", "kind", "at", "took_ns", "address", "key_id", "method", "url", "status", "answer", "call", "caller", "repeated", "header", "body", "cut") VALUES (1, 'acme', 'leads', 'call-data', 1772719200123456, 3000000, '192.0.2.1', 'k1', 'POST', '/call-data', 200, X'7B226F6B223A747275657D', 'c1', '+15550100', 0, X'7B22436F6E74656E742D54797065223A226170706C69636174696F6E2F6A736F6E227D', X'7B227374617465223A225458227D', 0);
