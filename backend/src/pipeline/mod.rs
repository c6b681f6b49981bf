//! Plan, seal, submit: how a [`task::Task`] becomes a signature. The task's module makes a [`plan::Plan`],
//! `seal` simulates it and makes the [`crate::preflight::intent::Intent`], `submit` compares a second plan
//! with the first before it signs. Beside them is what the tasks' modules share: packing, batches, retries
//! in the next slot.
pub(crate) mod archiving;
pub(crate) mod batches;
pub(crate) mod context;
pub(crate) mod members;
pub(crate) mod pack;
pub(crate) mod plan;
pub(crate) mod reporter;
pub(crate) mod seal;
pub(crate) mod slot_retry;
pub(crate) mod submit;
pub(crate) mod task;
pub(crate) mod timing;
pub(crate) mod votes;
