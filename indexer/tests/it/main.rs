//! Tests of the indexer against both stores and against a scripted node. Every test that touches a
//! store runs on SQLite, and on Postgres when `CONTROL_ROOM_TEST_POSTGRES` names a server.
#[cfg(test)]
mod accounts;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod common;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod export;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fill;
#[cfg(test)]
mod hazards;
#[cfg(test)]
mod history;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod kill_points;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod order;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod paused;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod undo;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod writers;
