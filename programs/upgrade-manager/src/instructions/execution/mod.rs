//! Executes an approved proposal of each kind once its timelock is over.
pub mod execute_config_change;
pub mod execute_transfer;
pub mod execute_upgrade;

pub use execute_config_change::*;
pub use execute_transfer::*;
pub use execute_upgrade::*;
