//! What the pipeline carries: a verb on a proposal, or a command of `setup`. The module of a task makes its
//! plan, as often as it is asked to, and runs it where it is a job of many transactions.
use std::future::Future;

use crate::{
    error::Result,
    keys::signer::Signer,
    pipeline::{context::Context, plan::Plan, reporter::Reporter},
    preflight::receipt::Receipt,
};

/// One thing that an operator can have planned, sealed and submitted. It holds whatever must stay as it was
/// shown, such as an expiry; everything else is read from the chain by each plan.
pub(crate) trait Task: Sync {
    /// What it would do now. Signs nothing.
    fn plan(&self, context: &Context) -> impl Future<Output = Result<Plan>> + Send;

    /// Carries out `plan`, which is a job. `key` is the one that was shown.
    fn run(
        &self,
        context: &Context,
        plan: &Plan,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> impl Future<Output = Result<Receipt>> + Send;
}
