//! Features of this release of Agave that are not active on mainnet. A test bank activates every
//! feature, which no cluster does; the features here are deactivated again.
use agave_feature_set as known;
use solana_pubkey::Pubkey;

/// Not active on mainnet-beta on 2026-10-15. Some of them change the loader (resizing, refusing old
/// ELFs), the depth of CPIs and the length of a slot.
pub const NOT_ON_MAINNET: &[Pubkey] = &[
    known::account_data_direct_mapping::ID,
    known::alpenglow::ID,
    known::alpenglow_fast_leader_handover::ID,
    known::blake3_syscall_enabled::ID,
    known::block_revenue_sharing::ID,
    known::chained_merkle_conflict_duplicate_proofs::ID,
    known::custom_commission_collector::ID,
    known::deprecate_legacy_vote_ixs::ID,
    known::direct_account_pointers_in_program_input::ID,
    known::disable_sbpf_v0_execution::ID,
    known::disable_sbpf_v0_v1_v2_deployment::ID,
    known::enable_big_mod_exp_syscall::ID,
    known::enable_extend_program_checked::ID,
    known::enable_loader_v4::ID,
    known::enable_sha512_syscall::ID,
    known::enable_turbine_extended_fanout_experiments::ID,
    known::enable_zk_proof_from_account::ID,
    known::enable_zk_transfer_with_fee::ID,
    known::full_inflation::devnet_and_testnet::ID,
    known::include_loaded_accounts_data_size_in_fee_calculation::ID,
    known::increase_tx_account_lock_limit::ID,
    known::libsecp256k1_fail_on_bad_count::ID,
    known::raise_cpi_nesting_limit_to_8::ID,
    known::reduce_slot_time_to_200ms::ID,
    known::reduce_slot_time_to_250ms::ID,
    known::reduce_slot_time_to_300ms::ID,
    known::reenable_sbpf_v0_execution::ID,
    known::relax_post_exec_min_balance_check::ID,
    known::remaining_compute_units_syscall_enabled::ID,
    known::set_lamports_per_byte_to_1322::ID,
    known::set_lamports_per_byte_to_2575::ID,
    known::set_lamports_per_byte_to_696::ID,
    known::set_lamports_per_byte_to_6960::ID,
    known::stake_raise_minimum_delegation_to_1_sol::ID,
    known::upgrade_bpf_stake_program_to_v5_1::ID,
    known::verify_retransmitter_signature::ID,
    known::virtual_address_space_adjustments::ID,
    known::vote_account_initialize_v2::ID,
    known::vote_only_retransmitter_signed_fec_sets::ID,
    known::zk_token_sdk_enabled::ID,
];
