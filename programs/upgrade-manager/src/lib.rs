//! Holds the upgrade authority of programs and enforces votes, timelock, migration and rollback.
#![allow(
    unexpected_cfgs,
    reason = "Anchor's macros test features that this crate does not declare"
)]
use anchor_lang::prelude::*;

pub mod error;
pub mod events;
pub mod instructions;
pub mod seeds;
pub mod state;

declare_id!("FAgtu5Zwcc36ufZQygkhYcE6MxUAHKvGagUmHBVRriGL");
