//! The mirror on the live local chain: equal account by account, on SQLite and on Postgres.
mod commands;
mod flow;
mod many;
mod two;
