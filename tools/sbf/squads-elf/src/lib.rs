//! Exports the entry point of the published Squads v4 program, and nothing else. A test-only artefact:
//! the manifest says under which licence, and what must not be done with it.
pub use ::squads_multisig_program::entrypoint;
