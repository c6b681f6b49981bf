//! Plan, seal, submit: how a [`task::Task`] becomes a signature. Its room makes a [`plan::Plan`], `seal`
//! simulates it and makes the [`crate::preflight::intent::Intent`], `submit` compares a second plan with
//! the first before it signs. Beside them is what every room uses: packing, batches, retries by the slot.
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
