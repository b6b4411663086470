CREATE TABLE build (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository TEXT NOT NULL,
  branch TEXT NOT NULL,
  commit_id TEXT NOT NULL,      -- empty until it is known, where somebody asked for the newest
  cause TEXT NOT NULL,
  state TEXT NOT NULL,          -- queued, running, ended
  verdict TEXT,                 -- of ended ones
  why TEXT NOT NULL DEFAULT '',
  author TEXT NOT NULL DEFAULT '',
  message TEXT NOT NULL DEFAULT '',
  accuracy REAL,
  threshold REAL,
  run TEXT,                     -- the run folder, relative to the build's
  created INTEGER NOT NULL,     -- milliseconds since 1970
  started INTEGER,
  ended INTEGER,
  stop_asked INTEGER NOT NULL DEFAULT 0,
  superseded_by INTEGER,
  starts INTEGER NOT NULL DEFAULT 0,
  verdicts INTEGER NOT NULL DEFAULT 0,
  told INTEGER NOT NULL DEFAULT 0,      -- 1: in the outbox; 2: sent
  status TEXT,                  -- the state of the commit that was told
  cleared INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX build_by_repository ON build (repository, id);
CREATE INDEX build_by_state ON build (state, id);
CREATE INDEX build_untold ON build (told, id) WHERE told < 2;
CREATE INDEX build_by_commit ON build (repository, branch, commit_id);

CREATE TABLE stage (
  build INTEGER NOT NULL REFERENCES build (id),
  name TEXT NOT NULL,
  state TEXT NOT NULL,          -- running, done, failed
  started INTEGER NOT NULL,
  ended INTEGER,
  note TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (build, name)
) STRICT;

CREATE TABLE delivery (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository TEXT NOT NULL,
  source TEXT NOT NULL,
  delivery TEXT,                -- the sender's identifier; NULL for those that were refused
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  branch TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  outcome TEXT NOT NULL,
  why TEXT NOT NULL,
  build INTEGER REFERENCES build (id)
) STRICT;
CREATE UNIQUE INDEX delivery_once ON delivery (repository, source, delivery);
CREATE INDEX delivery_refused ON delivery (outcome, id);
